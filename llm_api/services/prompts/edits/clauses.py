"""Takes an instruction apart into clauses, each of which does one thing with what it names."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llm_api.services.prompts.constraints.nouns import Noun, named_nouns
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.edits.operations import (
    BREAK,
    CLOSING,
    SENTENCE_END,
    Act,
    operation_in,
)
from llm_api.services.prompts.edits.picture_references import without_references
from llm_api.services.prompts.text import MARKS, find_quotes
from llm_api.services.prompts.vocabulary.words import little_words

_CACHED_TEXTS = 256
_MAX_CLAUSES = 400
_MARK = "".join(re.escape(mark) for mark in MARKS)
# Behind these stands where something is, or what becomes of it.
_PLACES = little_words("edits_places")
_FILLING = little_words("edits_filling") | little_words("edits_verbs")
_MIN_WORD = 2
# What becomes of a thing is no part of its name: "make the cat bigger".
_PREDICATE = re.compile(rf"(?<=\w) ({'|'.join(sorted(little_words('edits_predicates')))})\b")
_HAN_PLACES = frozenset("在从到成为用")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of an instruction.

    Attributes:
        text: as it is written; `start` and `end` are its place.
        sentence: the number of its sentence.
        act: what it does; None where it only describes.
        is_own: whether its own words say so, and not those of its neighbor.
        bare: without the words for what it does, quotations and the numbers of pictures, so that
            what it names is read as if it were described.
    """

    text: str
    start: int
    end: int
    sentence: int
    act: Act | None
    is_own: bool
    bare: str

    @property
    def stays(self) -> bool:
        """Whether it is about what is there already, and changes nothing."""
        return self.act in {Act.KEEP, Act.BLEND}

    @property
    def reading(self) -> Reading:
        """What it names."""
        return _read(self.bare)

    @property
    def nouns(self) -> Sequence[Noun]:
        """The things that it names."""
        return _nouns(self.bare)

    @property
    def things(self) -> frozenset[str]:
        """The concepts of all that it names."""
        return frozenset().union(*(noun.concepts for noun in self.nouns))

    @property
    def targets(self) -> Sequence[Noun]:
        """What something is done to; not where that is."""
        return _targets(self.bare)


_read = functools.lru_cache(maxsize=_CACHED_TEXTS)(read)


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def _nouns(bare: str) -> tuple[Noun, ...]:
    return tuple(named_nouns(_read(bare)))


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def _targets(bare: str) -> tuple[Noun, ...]:
    nouns, tokens = _nouns(bare), _read(bare).tokens
    if not nouns:
        return ()
    is_unread = False
    if not "".join(tokens).replace("¶", "").isascii():
        named = _han_targets(nouns, tokens)
    else:
        stop = next((at for at, token in enumerate(tokens) if token in _PLACES), len(tokens))
        named = [noun for noun in nouns if noun.start < stop]
        # "the reflections from the glasses": nothing is done to the glasses.
        is_unread = any(len(one) > _MIN_WORD and one not in _FILLING for one in tokens[:stop])
    return tuple(named) or (() if is_unread else nouns[:1])


def _han_targets(nouns: Sequence[Noun], tokens: Sequence[str]) -> list[Noun]:
    """Return what stands behind the last 的 of the first phrase: the dog of 沙发上的狗."""
    stop = next(
        (at for at, token in enumerate(tokens) if token in _HAN_PLACES and at > nouns[0].start),
        len(tokens),
    )
    first = [noun for noun in nouns if noun.start < stop]
    heads = [at for at, sign in enumerate(tokens[:stop]) if sign == "的"]
    behind = [noun for noun in first if heads and noun.start > heads[-1]]
    return behind or first


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def clauses_of(text: str) -> tuple[Clause, ...]:
    """Return the clauses of an instruction in English or Chinese, at most 400 of them."""
    masked = without_references(_without_quoted(text)).lower()
    if len(masked) != len(text):  # signs whose small letters are several
        masked = without_references(_without_quoted(text))
    found: list[Clause] = []
    for number, (start, end) in enumerate(_sentences(masked)):
        found += _inherited(
            [_clause(text, masked, at, number) for at in _parts(masked, start, end)]
        )
        if len(found) >= _MAX_CLAUSES:
            break
    return tuple(found[:_MAX_CLAUSES])


def _clause(text: str, masked: str, at: tuple[int, int], sentence: int) -> Clause:
    start, end = at
    said = masked[start:end]
    act, words = operation_in(said)
    denies = act in {Act.KEEP, Act.DENY, Act.REMOVE}
    bare = words.sub(" ", said) if words is not None and denies else said
    bare = _PREDICATE.sub(r" ¶ \1", bare)
    return Clause(text[start:end], start, end, sentence, act, act is not None, bare)


def _inherited(clauses: list[Clause]) -> Iterator[Clause]:
    """Yield the clauses of a sentence; the items of a list do what its first or its last does.

    A list of what is kept ends with a word such as "unchanged".
    """
    before: Act | None = None
    for place, clause in enumerate(clauses):
        act = clause.act
        if act is None and place == 0:
            following = next((one for one in clauses[1:] if one.act is not None), None)
            is_list = following is not None and CLOSING.search(following.text.lower())
            act = Act.KEEP if is_list and following and following.act is Act.KEEP else None
        elif act is None:
            act = before
        yield replace(clause, act=act)
        before = None if act is Act.KEEP and CLOSING.search(clause.text.lower()) else act


def _sentences(masked: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in SENTENCE_END.finditer(masked):
        if masked[start : match.start()].strip():
            yield start, match.end()
        start = match.end()
    if masked[start:].strip():
        yield start, len(masked)


def _parts(masked: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the places of a sentence's clauses; each begins with what separates it."""
    at = start
    for match in BREAK.finditer(masked, start, end):
        if masked[at : match.start()].strip(" ,，:："):
            yield at, match.start()
            at = match.start()
    if masked[at:end].strip(" ,，:：."):
        yield at, end


def _without_quoted(text: str) -> str:
    """Return a text of the same length whose quotations say nothing."""
    for quote in find_quotes(text):
        pattern = rf"(?<=[{_MARK}]){re.escape(quote)}(?=[{_MARK}])"
        text = re.sub(pattern, "¶" * len(quote), text)
    return text
