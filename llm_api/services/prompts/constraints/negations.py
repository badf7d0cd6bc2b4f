"""Finds the things that a prompt does not want."""

from collections.abc import Iterator
from dataclasses import dataclass

from llm_api.services.prompts.constraints.nouns import STOPS, Noun, head_behind, known_noun
from llm_api.services.prompts.constraints.reading import (
    DENIAL_REACH,
    HAN_DENIAL_REACH,
    Reading,
    Term,
    is_of_own,
)
from llm_api.services.prompts.text import stem

_ENDS = frozenset(".!?;:。！？；：¶") | {
    "but",
    "in",
    "on",
    "at",
    "with",
    "from",
    "to",
    "while",
    "when",
    "except",
    "besides",
    "apart",
}
_LISTS = frozenset({"or", "and", "nor", "和", "或", "、", ",", "与", "及"})
_MARKS = frozenset(",，.!?;:。！？；：¶、")
# Behind these the denied word may be an action; actions cannot be banned from a picture.
_OF_ACTIONS = frozenset(
    {"not", "don't", "doesn't", "isn't", "aren't", "never", "cannot", "hasn't", "haven't", "didn't"}
)
_HAN_ENDS = frozenset("的在和或是了着")
_BOUNDS = frozenset({"more than", "less than", "fewer than"})
_BEFORE_THINGS = frozenset({"any", "the", "a", "an", "other", "of", "visible"})


@dataclass(frozen=True, slots=True)
class Negation:
    """A thing that must not be drawn.

    `concept` is the vocabulary's word, or a stem where `is_known` is false. `words` are the text's.
    Where `is_foreign` is true the text is in a language without a vocabulary, and the concept one
    of `exclusions.CONCEPTS`.
    """

    concept: str
    words: str
    is_known: bool
    is_foreign: bool = False

    @property
    def english(self) -> str:
        """What it is called in an English text."""
        return self.concept if self.is_foreign else self.words


def find_negations(reading: Reading) -> Iterator[Negation]:
    """Yield each thing a prompt denies: "no people", "without cars or bikes", 不要文字."""
    for term in reading.of("negator"):
        # "No more than two birds" has birds, 没有人的街道 a street.
        behind = reading.words(term.end, term.end + 2)
        is_there = is_of_own(reading.tokens, term)
        if not is_there and behind not in _BOUNDS and not behind.startswith(("的", "人的")):
            yield from _denied_by(reading, term)


def _denied_by(reading: Reading, term: Term) -> Iterator[Negation]:
    is_han = not reading.tokens[term.start].isascii()
    reach = HAN_DENIAL_REACH if is_han else DENIAL_REACH
    at, end = term.end, min(len(reading.tokens), term.end + reach)
    found = False
    while at < end:
        token = reading.tokens[at]
        if token in _ENDS or (token in {",", "，"} and not found):
            return
        noun = known_noun(reading, at)
        if noun is not None:
            if is_han or not _is_modifier(reading, noun):
                words = reading.words(noun.start, noun.end)
                yield Negation(noun.concept, words, is_known=True)
                found = True
                if not _goes_on(reading, noun.end):
                    return
                end = min(len(reading.tokens), noun.end + reach)
            at = noun.end
            continue
        at += 1
    if not found:
        yield from _unknown(reading, term, is_han=is_han)


def _is_modifier(reading: Reading, noun: Noun) -> bool:
    """Whether a noun only qualifies the next word: "human face", "dog house"."""
    following = reading.tokens[noun.end : noun.end + 1]
    is_word = bool(following) and following[0].isalpha() and following[0] not in STOPS
    is_human = reading.tokens[noun.start : noun.end] == ["human"]
    return known_noun(reading, noun.end) is not None or (is_human and is_word)


def _goes_on(reading: Reading, at: int) -> bool:
    """Whether a list of denied things goes on; behind a comma nothing else may follow the thing."""
    if at >= len(reading.tokens) or reading.tokens[at] not in _LISTS:
        return False
    if reading.tokens[at] != ",":
        return True
    noun = known_noun(reading, at + 1)
    following = reading.tokens[noun.end : noun.end + 1] if noun else []
    return noun is not None and (not following or following[0] in _LISTS | _MARKS)


def _unknown(reading: Reading, term: Term, *, is_han: bool) -> Iterator[Negation]:
    """Yield a denied thing that the vocabulary lacks, where its end is clear."""
    if is_han:
        chars = []
        start = term.end + 2 * (reading.words(term.end, term.end + 2) == "任何")
        for char in reading.tokens[start : start + 5]:
            if char in _MARKS or char in _HAN_ENDS or char.isascii():
                break
            chars.append(char)
        if 1 < len(chars) <= 4:
            word = "".join(chars)
            yield Negation(word, word, is_known=False)
        return
    if reading.words(term.start, term.end) in _OF_ACTIONS:
        return
    at = term.end
    while at < len(reading.tokens) and reading.tokens[at] in _BEFORE_THINGS:
        at += 1
    noun = head_behind(reading, at)
    if noun is not None and noun.start - at <= 2:
        word = reading.tokens[noun.start]
        yield Negation(stem(word), word, is_known=False)
