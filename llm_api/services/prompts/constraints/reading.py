"""Reads a text once: its tokens, and what of the vocabulary occurs in them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, compress, count
from typing import NamedTuple

from llm_api.services.prompts.constraints.syntax import without_tags
from llm_api.services.prompts.text import (
    HAN,
    fold,
    has_no_digits,
    is_plain,
    tokens_of,
    without_quotes,
)
from llm_api.services.prompts.vocabulary.words import THINGS, KnownPhrase, phrases_by_pair

_HAN_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_CLAUSE_ENDS = frozenset(".!?。！？;；¶")
_COUNTED = ("number", "color")
_NOTHING = frozenset[str]()
_NO_TOKENS = frozenset[int]()
_PAIR = 2
# How many tokens behind a word of denial are denied at most; a Chinese character is a token.
DENIAL_REACH = 5
HAN_DENIAL_REACH = 10
_NEITHER = frozenset({"neither", "nor"})
_OWN = frozenset({"the", "his", "her", "its", "their", "my"})
_DENIAL_ENDS = frozenset(",，.!?;:。！？；：¶、") | {
    "but",
    "with",
    "while",
    "as",
    "except",
    "besides",
    "apart",
}


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


@dataclass(frozen=True)
class Reading:
    """A text as tokens, and the phrases of the vocabulary found in them.

    `phrases` are by their first token, from left to right; `places` are these tokens by the kinds
    of what a phrase means. `numerals` are the tokens that are numbers in digits, `joined` those
    with a hyphen behind them, which is no token itself.
    Terms are made when a check asks for them, and kept: the checks ask for few of them, and to make
    all of them took a third of the time of reading.
    """

    tokens: Sequence[str]
    phrases: Mapping[int, KnownPhrase]
    places: Mapping[str, Sequence[int]]
    numerals: Sequence[int]
    joined: frozenset[int]
    _of_kind: dict[str, Sequence[Term]] = field(default_factory=dict, repr=False, compare=False)
    _at: dict[int, Sequence[Term]] = field(default_factory=dict, repr=False, compare=False)

    def of(self, *kinds: str) -> Sequence[Term]:
        """Return the terms of some kinds, one kind after the other, each from left to right."""
        if len(kinds) == 1:
            return self._of(kinds[0])
        return [term for kind in kinds for term in self._of(kind)]

    def _of(self, kind: str) -> Sequence[Term]:
        if (starts := self.places.get(kind)) is None:
            return ()
        if (terms := self._of_kind.get(kind)) is None:
            terms = [term for start in starts for term in self.at(start) if term.kind == kind]
            self._of_kind[kind] = terms
        return terms

    def at(self, start: int) -> Sequence[Term]:
        """Return the terms that begin at a token."""
        if (terms := self._at.get(start)) is None:
            if (phrase := self.phrases.get(start)) is None:
                return ()
            end = start + phrase.length
            terms = self._at[start] = [Term(*meaning, start, end) for meaning in phrase.meanings]
        return terms

    def starts(self, kinds: Iterable[str]) -> Sequence[int]:
        """Return the tokens at which terms of some kinds begin, from left to right."""
        return sorted({at for kind in kinds for at in self.places.get(kind, ())})

    def things(self) -> frozenset[str]:
        """Return the concepts of everything that the text may name; no terms are made for it."""
        phrases, places = self.phrases, self.places
        found = [phrases[at].things for kind in THINGS for at in places.get(kind, ())]
        return _NOTHING.union(*found)

    def among(self, kind: str, concepts: AbstractSet[str]) -> Sequence[Term]:
        """Return the terms of a kind that mean one of some concepts; the others are not made."""
        phrases = self.phrases
        return [
            term
            for start in self.places.get(kind, ())
            if not phrases[start].concepts.isdisjoint(concepts)
            for term in self.at(start)
            if term.kind == kind and term.concept in concepts
        ]

    def has(self, kind: str, concept: str) -> bool:
        """Whether a concept occurs."""
        return kind in self.places and bool(self.among(kind, {concept}))

    def words(self, start: int, end: int) -> str:
        """Return the text from token `start` up to token `end`, Chinese without spaces."""
        words = " ".join(self.tokens[max(start, 0) : end])
        return words if words.isascii() else _HAN_GAP.sub("", words)

    @cached_property
    def counted(self) -> frozenset[int]:
        """The tokens of numbers and colors."""
        terms = self.of(*_COUNTED)
        return frozenset(at for term in terms for at in range(term.start, term.end))

    @cached_property
    def denied(self) -> frozenset[int]:
        """The tokens behind a word of denial, up to the end of its phrase."""
        negators = self.of("negator")
        return _denied(self.tokens, negators) if negators else _NO_TOKENS

    @cached_property
    def sentence_of(self) -> Sequence[int]:
        """The number of a token's sentence."""
        ended = accumulate(map(_CLAUSE_ENDS.__contains__, self.tokens), initial=0)
        return list(ended)[:-1]


def read(text: str) -> Reading:
    """Return a text's tokens and what they mean, a gap in place of every quotation.

    Of overlapping phrases the longest counts. It costs linear time, whatever the text is.
    """
    folded = fold(without_quotes(without_tags(text)))
    tokens, joined = tokens_of(folded), frozenset[int]()
    if "-" in folded:
        tokens, joined = _unhyphenated(tokens)
    numerals: Sequence[int] = ()
    if not (has_no_digits(folded) and is_plain(folded)):
        numerals = list(compress(count(), map(str.isdecimal, tokens)))
    return Reading(tokens, *_phrases_in(tokens), numerals, joined)


def _phrases_in(tokens: list[str]) -> tuple[dict[int, KnownPhrase], dict[str, list[int]]]:
    """Return the phrases of a text by their places, and these places by their kinds."""
    table, free = phrases_by_pair(), 0
    found: dict[int, KnownPhrase] = {}
    places: dict[str, list[int]] = defaultdict(list)
    behind = [*tokens[1:], ""]
    # Half of a text's tokens begin no phrase: they are left out without a turn of the loop. With
    # the words that `additions` keeps, and with fewer signs to look for at the end (`syntax`), it
    # spares the checks of a rewrite of 200 words 7 % of their time.
    for at in compress(count(), map(table.__contains__, tokens)):
        if at < free:
            continue
        phrase, by_second = table[tokens[at]]
        if by_second and (second := behind[at]) in by_second:
            for longer in by_second[second]:
                length = longer.length
                # The first two are known to be the same.
                if length == _PAIR or tokens[at : at + length] == longer.tokens:
                    phrase = longer
                    break
        if phrase is not None:
            found[at] = phrase
            free = at + phrase.length
            for kind in phrase.kinds:
                places[kind].append(at)
    return found, places


def _unhyphenated(tokens: list[str]) -> tuple[list[str], frozenset[int]]:
    """Remove hyphens between words: "close-up" reads as "close up"."""
    plain: list[str] = []
    joined = set()
    for at, part in enumerate(tokens):
        if part != "-":
            plain.append(part)
        elif plain and at + 1 < len(tokens) and tokens[at + 1].isalnum():
            joined.add(len(plain) - 1)
    return plain, frozenset(joined)


def is_of_own(tokens: Sequence[str], term: Term) -> bool:
    """Whether a word of denial is about what is there: "neither the man nor his dog looks"."""
    return tokens[term.start] in _NEITHER and not _OWN.isdisjoint(tokens[term.end : term.end + 1])


def _denied(tokens: Sequence[str], negators: Sequence[Term]) -> frozenset[int]:
    denied = set()
    for term in negators:
        if is_of_own(tokens, term):
            continue
        reach = DENIAL_REACH if tokens[term.start].isascii() else HAN_DENIAL_REACH
        for at in range(term.end, min(len(tokens), term.end + reach)):
            if tokens[at] in _DENIAL_ENDS:
                break
            denied.add(at)
    return frozenset(denied)
