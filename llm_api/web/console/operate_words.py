"""What pages for admins call the service's names, and how they say what the doctor finds.

In the service's own language they say what it says; for another one a file of `languages/` has it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from llm_api.web.console import page_texts, service_reasons, service_sentences


@dataclass(frozen=True, slots=True)
class OperateWords:
    """The words of one language.

    Attributes:
        language: one of the pages' languages.
        terms: of each kind of names, such as `acts`, what each is called.
        findings: what the doctor says, and the titles of its checks.
    """

    language: str
    terms: Mapping[str, Mapping[str, str]]
    findings: service_sentences.Catalogue

    def term(self, kind: str, name: str) -> str:
        """Return what a name is called; nothing for one that has no other."""
        return self.terms[kind].get(name, "")

    def found(self, sentence: str) -> str | None:
        """Return what the doctor says; None where it is not known."""
        return self.findings.translated(sentence)

    def state(self, state: str) -> str:
        """Return how a part of the service is, which is a word, a reason or a sentence."""
        explained = service_reasons.explained(self.language, state)
        happened = "" if explained is None else explained.happened
        return self.term("states", state) or happened or self.found(state) or ""


def words_of(language: str) -> OperateWords | None:
    """Return the words of one of the pages' languages; None for the service's own."""
    return _words(language) if language in service_reasons.FILES else None


@cache
def _words(language: str) -> OperateWords:
    path = page_texts.FOLDER / f"operate_{language}.toml"
    rooms: dict[str, dict[str, str]] = tomllib.loads(path.read_text("utf-8"))
    said = {name: rooms.pop(name) for name in ("findings", "checks")}
    return OperateWords(language, rooms, service_sentences.catalogue_from(said))
