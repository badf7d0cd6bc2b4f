"""Reads a text once: its tokens, and what of the vocabulary stands in them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llm_api.services.prompts.locks_quotes import without_quotes
from llm_api.services.prompts.vocabulary import HAN, Meaning, fold, phrases, tokens_of

_HAN_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_CLAUSE_ENDS = frozenset(".!?。！？;；¶")


class Term(NamedTuple):
    """A meaning at its place: tokens from `start` up to and not including `end`."""

    meaning: Meaning
    start: int
    end: int

    @property
    def kind(self) -> str:
        """The meaning's kind, such as `color`."""
        return self.meaning.kind

    @property
    def concept(self) -> str:
        """What is meant, in the vocabulary's own word."""
        return self.meaning.concept


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as tokens, and the terms found in them.

    `by_kind` and `by_start` are the terms from left to right; `counted` are the tokens of numbers
    and colors; `joined` are tokens with a hyphen behind them, which is no token itself;
    `sentence_of` tells the number of a token's sentence.
    """

    tokens: Sequence[str]
    by_kind: Mapping[str, Sequence[Term]]
    by_start: Mapping[int, Sequence[Term]]
    counted: frozenset[int]
    joined: frozenset[int]
    sentence_of: Sequence[int]

    def of(self, *kinds: str) -> Iterator[Term]:
        """Yield the terms of some kinds, one kind after the other."""
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    def at(self, start: int) -> Sequence[Term]:
        """Return the terms that begin at a token."""
        return self.by_start.get(start, ())

    def has(self, kind: str, concept: str) -> bool:
        """Whether a concept occurs."""
        return any(term.meaning.concept == concept for term in self.by_kind.get(kind, ()))

    def words(self, start: int, end: int) -> str:
        """Return the text between two tokens, Chinese without spaces."""
        return _HAN_GAP.sub("", " ".join(self.tokens[max(start, 0) : end]))


def read(text: str) -> Reading:
    """Return a text's tokens and what they mean, a gap in place of every quotation."""
    return read_bare(without_quotes(text))


def read_bare(bare: str) -> Reading:
    """Return the tokens and meanings of a text whose quotations have been taken out.

    Of overlapping phrases the longest counts. It costs linear time, whatever the text is.
    """
    tokens, joined = _unhyphenated(tokens_of(fold(bare)))
    by_kind: dict[str, list[Term]] = {}
    by_start: dict[int, list[Term]] = {}
    counted: set[int] = set()
    table, at, count = phrases(), 0, len(tokens)
    while at < count:
        step = 1
        for length, phrase, meanings in table.get(tokens[at], ()):
            if length == 1 or tokens[at : at + length] == phrase:
                terms = [Term(meaning, at, at + length) for meaning in meanings]
                by_start[at] = terms
                for term in terms:
                    by_kind.setdefault(term.meaning.kind, []).append(term)
                    if term.meaning.kind in {"number", "color"}:
                        counted.update(range(at, at + length))
                step = length
                break
        at += step
    return Reading(tokens, by_kind, by_start, frozenset(counted), joined, _sentences(tokens))


def _unhyphenated(tokens: list[str]) -> tuple[list[str], frozenset[int]]:
    """Take out hyphens between words: "close-up" reads as "close up"."""
    if "-" not in tokens:
        return tokens, frozenset()
    plain: list[str] = []
    joined = set()
    for at, part in enumerate(tokens):
        if part != "-":
            plain.append(part)
        elif plain and at + 1 < len(tokens) and tokens[at + 1].isalnum():
            joined.add(len(plain) - 1)
    return plain, frozenset(joined)


def _sentences(tokens: Sequence[str]) -> Sequence[int]:
    numbers, number = [], 0
    for token in tokens:
        numbers.append(number)
        if token in _CLAUSE_ENDS:
            number += 1
    return numbers
