"""Reads a text once: its tokens, and what of the vocabulary stands in them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import NamedTuple

from llm_api.services.prompts.text.quotes import without_quotes
from llm_api.services.prompts.vocabulary.words import (
    HAN,
    Meaning,
    Row,
    fold,
    phrases_by_pair,
    tokens_of,
)

_HAN_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_CLAUSE_ENDS = frozenset(".!?。！？;；¶")
_COUNTED = frozenset({"number", "color"})
_PAIR = 2


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
        words = " ".join(self.tokens[max(start, 0) : end])
        return words if words.isascii() else _HAN_GAP.sub("", words)


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
    for at, (length, _, meanings) in _phrases_in(tokens):
        end = at + length
        by_start[at] = terms = [Term(meaning, at, end) for meaning in meanings]
        for term in terms:
            kind = term[0][0]
            by_kind.setdefault(kind, []).append(term)
            if kind in _COUNTED:
                counted.update(range(at, end))
    return Reading(tokens, by_kind, by_start, frozenset(counted), joined, _sentences(tokens))


def _phrases_in(tokens: list[str]) -> Iterator[tuple[int, Row]]:
    """Yield the phrases of a text with their places."""
    table, free = phrases_by_pair(), 0
    for at, (token, following) in enumerate(zip_longest(tokens, tokens[1:], fillvalue="")):
        if token not in table or at < free:
            continue
        by_second = table[token]
        for row in by_second.get(following, ()):
            # The first two are known to be the same.
            if row[0] == _PAIR or tokens[at : at + row[0]] == row[1]:
                break
        else:
            if not by_second[""]:
                continue
            [row] = by_second[""]
        free = at + row[0]
        yield at, row


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
    ended = accumulate(map(_CLAUSE_ENDS.__contains__, tokens), initial=0)
    return list(ended)[:-1]
