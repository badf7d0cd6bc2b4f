"""Reads a text once: its tokens, and what of the vocabulary occurs in them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import NamedTuple

from llm_api.services.prompts.constraints.syntax import without_tags
from llm_api.services.prompts.text import HAN, fold, tokens_of, without_quotes
from llm_api.services.prompts.vocabulary.words import Row, phrases_by_pair

_HAN_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_CLAUSE_ENDS = frozenset(".!?。！？;；¶")
_COUNTED = frozenset({"number", "color"})
_PAIR = 2
# How many tokens behind a word of denial are denied at most; a Chinese character is a token.
DENIAL_REACH = 5
HAN_DENIAL_REACH = 10
_DENIAL_ENDS = frozenset(",，.!?;:。！？；：¶、") | {"but", "with", "while", "as"}


class Term(NamedTuple):
    """A meaning at its place: tokens from `start` up to and not including `end`.

    `kind` (such as `color`) and `concept` (the vocabulary's own word) say what is meant; `is_kind`
    and `is_noun_only` are those of `vocabulary.words.Meaning`.
    """

    kind: str
    concept: str
    is_kind: bool
    is_noun_only: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as tokens, and the terms found in them.

    `by_kind` and `by_start` are the terms from left to right; `counted` are the tokens of numbers
    and colors; `joined` are tokens with a hyphen behind them, which is no token itself; `denied`
    are the tokens behind a word of denial, up to the end of its phrase; `sentence_of` is the number
    of a token's sentence.
    """

    tokens: Sequence[str]
    by_kind: Mapping[str, Sequence[Term]]
    by_start: Mapping[int, Sequence[Term]]
    counted: frozenset[int]
    joined: frozenset[int]
    denied: frozenset[int]
    sentence_of: Sequence[int]

    def of(self, *kinds: str) -> Sequence[Term]:
        """Return the terms of some kinds, one kind after the other."""
        return [term for kind in kinds for term in self.by_kind.get(kind, ())]

    def at(self, start: int) -> Sequence[Term]:
        """Return the terms that begin at a token."""
        return self.by_start.get(start, ())

    def has(self, kind: str, concept: str) -> bool:
        """Whether a concept occurs."""
        return any(term.concept == concept for term in self.by_kind.get(kind, ()))

    def words(self, start: int, end: int) -> str:
        """Return the text from token `start` up to token `end`, Chinese without spaces."""
        words = " ".join(self.tokens[max(start, 0) : end])
        return words if words.isascii() else _HAN_GAP.sub("", words)


def read(text: str) -> Reading:
    """Return a text's tokens and what they mean, a gap in place of every quotation.

    Of overlapping phrases the longest counts. It costs linear time, whatever the text is.
    """
    tokens, joined = _unhyphenated(tokens_of(fold(without_quotes(without_tags(text)))))
    by_kind: dict[str, list[Term]] = {}
    by_start: dict[int, list[Term]] = {}
    counted: set[int] = set()
    for at, (length, _, meanings) in _phrases_in(tokens):
        end = at + length
        by_start[at] = terms = [Term(*meaning, at, end) for meaning in meanings]
        for term in terms:
            kind = term[0]
            by_kind.setdefault(kind, []).append(term)
            if kind in _COUNTED:
                counted.update(range(at, end))
    denied = _denied(tokens, by_kind.get("negator", ()))
    return Reading(
        tokens, by_kind, by_start, frozenset(counted), joined, denied, _sentences(tokens)
    )


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
    """Remove hyphens between words: "close-up" reads as "close up"."""
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


def _denied(tokens: Sequence[str], negators: Sequence[Term]) -> frozenset[int]:
    denied = set()
    for term in negators:
        reach = DENIAL_REACH if tokens[term.start].isascii() else HAN_DENIAL_REACH
        for at in range(term.end, min(len(tokens), term.end + reach)):
            if tokens[at] in _DENIAL_ENDS:
                break
            denied.add(at)
    return frozenset(denied)


def _sentences(tokens: Sequence[str]) -> Sequence[int]:
    ended = accumulate(map(_CLAUSE_ENDS.__contains__, tokens), initial=0)
    return list(ended)[:-1]
