"""Finds colors, and what they color."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from llm_api.services.prompts.constraints.nouns import SENTENCE_ENDS, Noun, head_behind, known_noun
from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.vocabulary.words import little_words

_LINKING = little_words("colors_linking")
_REACH_BACK = 6


@dataclass(frozen=True, slots=True)
class ColorOf:
    """A color and the noun it belongs to, None where it stands alone. `words` are the text's."""

    color: str
    noun: Noun | None
    words: str
    at: int

    @property
    def key(self) -> object:
        """Equal for two that say the same."""
        return self.color, self.noun and self.noun.concept


def find_colors(
    reading: Reading, *, with_parts: bool = True, among: AbstractSet[str] | None = None
) -> Iterator[ColorOf]:
    """Yield every color with its noun: "a red car", "the car is red", 红色的车.

    `with_parts` includes single Chinese characters that may be a part of another word. `among` are
    the colors to look for, None for all.
    """
    for term in reading.of("color") if among is None else reading.among("color", among):
        if any(other.kind in {"object", "animate"} for other in reading.at(term.start)) and (
            term.end >= len(reading.tokens) or head_behind(reading, term.end) is None
        ):
            continue  # "an orange", "a rose"
        noun = head_behind(reading, term.end)
        if not with_parts and _is_unsure(reading, term, noun):
            continue
        if noun is None:
            noun = _subject_before(reading, term.start)
            words = reading.words(term.start, term.end)
        else:
            words = reading.words(term.start, noun.end)
        yield ColorOf(term.concept, noun, words, term.start)


def _is_unsure(reading: Reading, term: Term, noun: Noun | None) -> bool:
    """Whether a single Chinese character may be a part of another word: 黑 in 黑客."""
    if term.end - term.start > 1 or reading.tokens[term.start].isascii():
        return False
    following = reading.tokens[term.end : term.end + 1]
    return following != ["的"] and (noun is None or noun.start != term.end)


def _subject_before(reading: Reading, at: int) -> Noun | None:
    """Return the noun that a color behind it describes."""
    tokens = reading.tokens
    is_linked = False
    for back in range(at - 1, max(at - 1 - _REACH_BACK, -1), -1):
        token = tokens[back]
        if token in SENTENCE_ENDS:
            return None
        is_linked = is_linked or token in _LINKING
        if is_linked and (noun := known_noun(reading, back)) is not None:
            return noun
    return None
