"""Reads a prompt and a rewrite of it once, for all checks."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from llm_api.domain.prompts import EDIT, RewriteRequirements
from llm_api.services.prompts.constraints.constraints import Constraints
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.edits import edit_constraints
from llm_api.services.prompts.languages.tags import has_vocabulary
from llm_api.services.prompts.text import fold, stem


@dataclass(frozen=True)
class Comparison:
    """A prompt and a rewrite of it, both read once for all checks.

    `constraints` are those of the prompt. `reading`, `folded` (the text in one form) and `things`
    (the vocabulary's words for what it names) are those of the rewrite. `style` is the reading of
    the style that is wanted beside the prompt, None if there is none. An edit is read as if it
    described what it names.
    """

    original: str
    rewrite: str
    wanted: RewriteRequirements
    constraints: Constraints
    reading: Reading
    folded: str
    things: frozenset[str]
    style: Reading | None

    @property
    def is_read(self) -> bool:
        """Whether the vocabulary has the words of the prompt, and those of the rewrite."""
        return has_vocabulary(self.constraints.language) and has_vocabulary(self.wanted.language)

    @property
    def is_same_language(self) -> bool:
        """Whether the rewrite shall be in the language of the prompt."""
        return self.constraints.language == self.wanted.language

    def has_any(self, concepts: Iterable[str]) -> bool:
        """Whether the rewrite names a thing by a word of the vocabulary or by its stem."""
        return not (self.things.isdisjoint(concepts) and self.stems.isdisjoint(concepts))

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of the rewrite's words; few rewrites are in need of them."""
        return frozenset(map(stem, self.reading.tokens))


def compare(
    original: str, rewrite: str, wanted: RewriteRequirements, constraints: Constraints
) -> Comparison:
    """Read a rewrite for the checks against its prompt.

    Args:
        original: the prompt.
        rewrite: what a model made of it.
        wanted: what the rewrite must satisfy besides.
        constraints: those of the prompt.
    """
    is_read_edit = wanted.type == EDIT and has_vocabulary(wanted.language)
    reading = read(edit_constraints.neutral(rewrite) if is_read_edit else rewrite)
    return Comparison(
        original=original,
        rewrite=rewrite,
        wanted=wanted,
        constraints=constraints,
        reading=reading,
        folded=fold(rewrite),
        things=reading.things(),
        style=read(wanted.style) if wanted.style else None,
    )
