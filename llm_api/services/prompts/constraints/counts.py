"""Finds counts: a number, as a digit or a word, and the noun it counts."""

from collections.abc import Iterator
from dataclasses import dataclass

from llm_api.services.prompts.constraints.nouns import Noun, head_behind
from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.vocabulary.words import is_plural, little_words, plural

_MAX_DIGITS = 3
_PAIRS = frozenset({"一对", "一双", "俩", "仨", "一打"})
# Before a number, these make it a number among others.
_HEDGES = little_words("counts_hedges")
_LONG_HEDGES = little_words("counts_long_hedges") | {"up to"}
_OR_MORE = frozenset(["more", "so", "fewer", "less"])
_HUNDREDS = frozenset(["hundred", "hundreds", "thousand", "million"])
_MANY = 10
_NOT_COUNTING = frozenset({"/", ":", "%", "°", "x"})


@dataclass(frozen=True, slots=True)
class Count:
    """How many of what; `noun` is None where the number stands alone. `words` are the text's."""

    value: int
    noun: Noun | None
    words: str
    at: int

    @property
    def key(self) -> object:
        """Equal for two that say the same."""
        return self.value, self.noun and self.noun.concept


def find_counts(reading: Reading) -> Iterator[Count]:
    """Yield every number that counts something; ages, sizes, years and formats do not."""
    for term in reading.of("number"):
        if (found := _count(reading, int(term.concept), term)) is not None:
            yield found
    for at in reading.numerals:
        token = reading.tokens[at]
        if len(token) <= _MAX_DIGITS and not reading.at(at):
            digits = reading.tokens[at - 1] if at else ""
            if digits not in {"#", "$", "¥", "no", "f", "第", "."} and (
                found := _count_at(reading, int(token), at, at + 1)
            ):
                yield found


def _count(reading: Reading, value: int, term: Term) -> Count | None:
    is_han = not reading.tokens[term.start].isascii()
    if is_han and (value == 1 or not _is_counting(reading, term)):
        return None  # 一 is no more than an article
    return _count_at(reading, value, term.start, term.end)


def _is_counting(reading: Reading, term: Term) -> bool:
    """Whether a Chinese number counts: with a measure word, or by itself as 一对 does."""
    if term.start and reading.tokens[term.start - 1] == "第":
        return False
    has_measure = any(other.kind == "measure" for other in reading.at(term.end))
    is_pair = reading.words(term.start, term.end) in _PAIRS
    return has_measure or is_pair or _next(reading, term.end) == "人"


def _count_at(reading: Reading, value: int, start: int, end: int) -> Count | None:
    at = end
    if (
        end - 1 in reading.joined
        or start - 1 in reading.joined
        or _next(reading, end) in _NOT_COUNTING
    ):
        return None  # "two-headed", "16:9"
    if any(term.kind == "unit" for term in reading.at(at)):
        return None
    for term in reading.at(at):
        if term.kind == "measure":
            at = term.end
    noun = head_behind(reading, at)
    if value == 2 and noun and any(term.kind == "paired" for term in reading.at(noun.start)):
        return None  # a pair of shoes
    stop = noun.end if noun else at
    return Count(value, noun, reading.words(start, stop), start)


def is_exact(reading: Reading, count: Count) -> bool:
    """Whether a count is stated as a number to be met: not "about ten", 三四只, "two dozen"."""
    words, noun = count.words.split(), count.noun
    before = reading.tokens[count.at - 1] if count.at else ""
    behind = _next(reading, count.at + 1)
    if before in _HEDGES or (before == "over" and count.value >= _MANY) or before.isdecimal():
        return False
    if before == "," and reading.tokens[count.at - 2].isdecimal():
        return False  # 10,000
    if any(term.end == count.at for term in reading.of("number")):
        return False  # three or four in one word, or a number of two
    if reading.words(count.at - 2, count.at) in _LONG_HEDGES or words[0] == "couple":
        return False
    if before == "to" and (count.at - 2 in reading.numerals or count.at - 2 in reading.counted):
        return False  # five to six
    if noun is not None and count.value > 1 and not _is_in_plural(reading.tokens[noun.end - 1]):
        return False  # "5 star hotel"
    is_open = noun is not None and _next(reading, noun.end) == "or"
    is_open = is_open and _next(reading, noun.end + 1 if noun else 0) in _OR_MORE
    return not is_open and behind not in {"or", "to", "+"} and _HUNDREDS.isdisjoint(words)


def _is_in_plural(word: str) -> bool:
    return not word.isascii() or is_plural(word) or plural(word) == word


def _next(reading: Reading, at: int) -> str:
    return reading.tokens[at] if at < len(reading.tokens) else ""
