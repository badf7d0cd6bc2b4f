"""Finds where things are, as far as a text suggests it: for a layout, not for what must be kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llm_api.services.prompts.constraints.nouns import STOPS, Noun
from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.constraints.relations import (
    CONVERSES,
    PLACES,
    REACH,
    SIDES,
    han_pair,
    is_han,
    is_of_other,
    is_of_thing,
    is_side,
    nearest_before,
    pair_of,
)
from llm_api.services.prompts.vocabulary.words import little_words

_COURSES = little_words("positions_courses")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a thing is: relative to another one, or in the picture where `reference` is None.

    It is read from the tokens from `start` up to `end`.
    """

    subject: Noun
    name: str
    reference: Noun | None
    start: int
    end: int


def find_positions(reading: Reading, named: Iterable[Noun]) -> Iterator[Position]:
    """Yield where things are, as far as a prompt suggests it: more than a rewrite must keep."""
    nouns = {noun.start: noun for noun in named}
    for term in reading.of("relation"):
        if term.concept not in CONVERSES or _is_no_place(reading, term):
            continue
        pair = None
        if is_han(reading, term):
            pair = han_pair(reading, term, nouns)
        elif not is_side(reading, term):
            pair = pair_of(reading, term, nouns)
        if pair is not None:
            yield Position(pair[0], term.concept, pair[1], term.start, term.end)
        elif (subject := _placed(reading, term, nouns)) is not None:
            yield Position(subject, term.concept, None, term.start, term.end)


def _is_no_place(reading: Reading, term: Term) -> bool:
    """Whether a word is of no place: "pan left", "looks right", "its left ear", "top 10"."""
    before = reading.tokens[term.start - 1] if term.start else ""
    is_move = any(move.end == term.start for move in reading.of("move"))
    if term.concept in SIDES and (is_move or before in _COURSES):
        return True
    is_word = term.end - term.start == 1 and not is_han(reading, term)
    following = reading.tokens[term.end] if term.end < len(reading.tokens) else "."
    return is_word and term.is_kind and following.isalnum() and following not in STOPS


def _placed(reading: Reading, term: Term, nouns: dict[int, Noun]) -> Noun | None:
    """Return what stands on a side of the picture: "A on the left", "on the left, A", 左边是A."""
    if is_han(reading, term):
        if term.end - term.start < len("左边") or is_of_thing(reading, term):
            return None  # 牌子上, 店门上方
        opens = "".join(reading.tokens[term.end : term.end + 1]) in tuple("是有为站坐放写")
    elif term.concept in SIDES or not PLACES.isdisjoint(reading.tokens[term.start : term.end]):
        if is_of_other(reading, term):
            return None  # "on top of a stack"
        opens = not term.start or reading.tokens[term.start - 1] in ",;."
    else:
        return None
    if opens:
        return next((nouns[at] for at in range(term.end, term.end + REACH) if at in nouns), None)
    return nearest_before(reading, term.start, nouns)
