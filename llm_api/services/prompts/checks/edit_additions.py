"""Finds what the rewrite of an edit changes beside what was asked: things, colors, light, views.

Where something stays as it is, a model that is shown the pictures may name what it sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.counts import find_counts
from llm_api.services.prompts.constraints.reading import Reading
from llm_api.services.prompts.constraints.spelling import is_meant
from llm_api.services.prompts.edits.clauses import Clause, clauses_of
from llm_api.services.prompts.text import fold, lower, stem
from llm_api.services.prompts.vocabulary.words import THINGS, little_words

_EMBELLISHING = little_words("edits_embellishing")
_STEMS = frozenset(stem(word) for word in _EMBELLISHING if word.isascii())
_HAN = tuple(word for word in _EMBELLISHING if not word.isascii())
# Words that every instruction may need: they name the picture and its parts.
_PARTS = little_words("edits_parts")
_PEOPLE = frozenset({"person", "anybody"})
_STYLES = ("drawn", "look")
_VIEWS = ("shot", "angle")


@dataclass(frozen=True)
class Asked:
    """What an instruction names, whatever is done to it."""

    comparison: Comparison

    @property
    def _reading(self) -> Reading:
        return self.comparison.constraints.reading

    @cached_property
    def things(self) -> frozenset[str]:
        """The concepts of its things."""
        return self._reading.things()

    @cached_property
    def numbers(self) -> frozenset[int]:
        """Its numbers, in digits and in words."""
        reading = self._reading
        words = {int(term.concept) for term in reading.of("number")}
        return frozenset(words | {int(reading.tokens[at]) for at in reading.numerals})

    @cached_property
    def tokens(self) -> frozenset[str]:
        """The stems of its words."""
        return frozenset(map(stem, self._reading.tokens))

    def concepts(self, *kinds: str) -> frozenset[str]:
        """Return what it names of some kinds, such as colors."""
        return frozenset(term.concept for term in self._reading.of(*kinds))

    @cached_property
    def is_plain(self) -> bool:
        """Whether it asks for no light, mood or quality itself."""
        text = lower(self.comparison.original)
        return self.tokens.isdisjoint(_STEMS) and not any(word in text for word in _HAN)


def find_edit_additions(comparison: Comparison) -> Iterator[Violation]:
    """Yield what any part of a rewrite adds; both texts are in English or Chinese."""
    asked = Asked(comparison)
    for clause in clauses_of(comparison.rewrite):
        yield from added_in(clause, asked)


def added_in(clause: Clause, asked: Asked) -> Iterator[Violation]:
    """Yield what a part of a rewrite adds to an instruction.

    Args:
        clause: the part.
        asked: what the instruction names.
    """
    wanted = asked.comparison.wanted
    if clause.stays and wanted.sees_pictures:
        return
    yield from _things(clause, asked)
    yield from _colors(clause, asked)
    for count in find_counts(clause.reading):
        if count.value > 1 and count.value not in asked.numbers and "both" not in count.words:
            yield violation_of("count_added", count.words)
    for term in clause.reading.of(*_STYLES):
        words = clause.reading.words(term.start, term.end)
        is_asked = term.concept in asked.concepts(*_STYLES) or words in _PARTS
        if not (is_asked or is_meant(asked.comparison.constraints.reading, words)):
            yield violation_of("style_added", words)
    if not clause.stays:
        yield from _views(clause, asked)
    yield from _details(clause, asked)


def _things(clause: Clause, asked: Asked) -> Iterator[Violation]:
    constraints, reading = asked.comparison.constraints, clause.reading
    for noun in clause.nouns:
        words = reading.words(noun.start, noun.end)
        is_asked = not noun.concepts.isdisjoint(asked.things) or noun.concept in asked.tokens
        if is_asked or words in _PARTS or is_meant(constraints.reading, words):
            continue
        if noun.kind in _PEOPLE:
            if not constraints.mentions_person:
                yield violation_of("person_added", words)
        elif noun.is_known or clause.act is None:
            yield violation_of("thing_added", words)


def _colors(clause: Clause, asked: Asked) -> Iterator[Violation]:
    known, reading = asked.concepts("color"), clause.reading
    for start in reading.places.get("color", ()):
        terms = reading.at(start)
        colors = {term.concept for term in terms if term.kind == "color"}
        things = {term.concept for term in terms if term.kind in THINGS}
        if colors.isdisjoint(known | {"colorful"}) and things.isdisjoint(asked.things):
            yield violation_of("color_added", reading.words(start, terms[0].end))


def _views(clause: Clause, asked: Asked) -> Iterator[Violation]:
    for term in clause.reading.of(*_VIEWS):
        if term.concept not in asked.concepts(*_VIEWS, "move"):
            yield violation_of("view_added", clause.reading.words(term.start, term.end))


def _details(clause: Clause, asked: Asked) -> Iterator[Violation]:
    """Yield words for light, mood and quality; a translation may have them from its prompt."""
    if not (asked.comparison.is_same_language or asked.is_plain):
        return
    original = lower(asked.comparison.original)
    for token in clause.reading.tokens:
        root = stem(token)
        if root in _STEMS and root not in asked.tokens:
            yield violation_of("detail_added", token)
            return
    if not clause.text.isascii():
        text = fold(clause.text)
        found = next((word for word in _HAN if word in text and word not in original), None)
        if found is not None:
            yield violation_of("detail_added", found)
