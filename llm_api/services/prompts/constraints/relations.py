"""Finds how things are placed relative to each other, and whether a rewrite says the same.

A relation may be expressed from either side (A is left of B, B is right of A), or by places in the
picture (A on the left, B on the right).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llm_api.services.prompts.constraints.nouns import Noun, head_behind, known_noun
from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.vocabulary.words import THINGS, little_words

CONVERSES = {
    "left": "right",
    "right": "left",
    "above": "below",
    "below": "above",
    "in front of": "behind",
    "behind": "in front of",
}
SIDES = frozenset({"left", "right"})
# Words that place a thing in the picture, with no reference to another thing.
PLACES = little_words("relations_places")
REACH = 14
_MAX_TERMS = 40
_MAX_MENTIONS = 400
_HAN_SIDE_OPENERS = frozenset("在于最正靠")
_HAN_LINKS = frozenset("在的是位于置放坐站")
_BREAKS = frozenset(".!?。！？;；¶")


@dataclass(frozen=True, slots=True)
class Relation:
    """A thing, its position, and the thing it is relative to. `words` are the text's."""

    subject: Noun
    name: str
    reference: Noun
    words: str

    @property
    def key(self) -> object:
        """Equal for two that say the same."""
        return self.subject.concept, self.name, self.reference.concept


class Mention(NamedTuple):
    """A place where a rewrite mentions a relation's subject, or else its reference."""

    start: int
    end: int
    is_subject: bool


def find_relations(reading: Reading, named: Iterable[Noun]) -> Iterator[Relation]:
    """Yield the relations of two things that a prompt states explicitly; `named` are its nouns."""
    terms = [term for term in reading.of("relation") if not term.is_kind]
    nouns = {noun.start: noun for noun in named} if terms else {}
    for term in terms:
        pair = (
            han_pair(reading, term, nouns)
            if is_han(reading, term)
            else pair_of(reading, term, nouns)
        )
        if pair is not None and not pair[0].may_be(pair[1]):
            first, second = pair
            start, end = min(first.start, second.start), max(first.end, second.end, term.end)
            yield Relation(first, term.concept, second, reading.words(start, end))


def is_han(reading: Reading, term: Term) -> bool:
    """Whether a word of place is Chinese."""
    return not reading.tokens[term.start].isascii()


def is_of_thing(reading: Reading, term: Term) -> bool:
    """Whether a Chinese side is that of a thing: 店门上方, 桌子的上面; not 画面上方."""
    at = term.start - 1
    frames = {frame.end for frame in reading.of("frame")}
    before = reading.tokens[at] if at >= 0 else "¶"
    opens = before in _HAN_SIDE_OPENERS or not before.isalpha()
    return not (opens or term.start in frames or (before == "的" and at in frames))


def is_of_other(reading: Reading, term: Term) -> bool:
    """Whether an English side is that of a thing: "at the top of the stairs", not "… picture"."""
    following = reading.tokens[term.end : term.end + 2]
    is_of = reading.tokens[term.end - 1] == "of" or following[:1] == ["of"]
    at = term.end + following.count("of") + following.count("the")
    return is_of and all(other.kind != "frame" for other in reading.at(at))


def pair_of(reading: Reading, term: Term, nouns: dict[int, Noun]) -> tuple[Noun, Noun] | None:
    """Return "A left of B": the noun before, and the noun that directly follows."""
    before, words = nearest_before(reading, term.start, nouns), reading.words(term.start, term.end)
    end = term.end
    if end < len(reading.tokens) and reading.tokens[end] == "of":
        end += 1
    behind = head_behind(reading, _past_article(reading, end))
    if before is None or behind is None or not (behind.is_known or words.endswith("of")):
        return None
    return before, behind


def _past_article(reading: Reading, at: int) -> int:
    articles = {"a", "an", "the", "this", "that", "his", "her", "its", "their", "another", "one"}
    while at < len(reading.tokens) and reading.tokens[at] in articles:
        at += 1
    return at


def han_pair(reading: Reading, term: Term, nouns: dict[int, Noun]) -> tuple[Noun, Noun] | None:
    """Return A and B of "A在B的左边" or "B的左边是A"."""
    second = nearest_before(reading, term.start, nouns)
    if second is None or reading.tokens[second.end : term.start] not in ([], ["的"], ["正"]):
        return None
    first = nearest_before(reading, second.start, nouns)
    if first is not None and "在" in reading.tokens[first.end : second.start]:
        return first, second
    for at in range(term.end, min(term.end + REACH, len(reading.tokens))):
        if reading.tokens[at] in _BREAKS:
            return None
        if at in nouns:
            return nouns[at], second
    return None


def nearest_before(reading: Reading, at: int, nouns: dict[int, Noun]) -> Noun | None:
    """Return the last noun before a token in its sentence, if it is near."""
    for back in range(at - 1, max(at - 1 - REACH, -1), -1):
        if reading.tokens[back] in _BREAKS:
            return None
        if back in nouns and nouns[back].end <= at:
            return nouns[back]
    return None


def keeps_relation(reading: Reading, relation: Relation) -> bool:
    """Whether a rewrite places two things as the relation does, or at least not otherwise.

    A word that contradicts the relation must be balanced by a word that agrees with it.
    """
    converse = CONVERSES.get(relation.name)
    names = {relation.name, converse or relation.name}
    terms = reading.among("relation", names)[:_MAX_TERMS]
    if converse is None or not terms:
        return bool(terms)
    mentions = _mentions(reading, relation)
    agreed = opposed = 0
    for term in terms:
        for is_subject, is_firm in _subjects(reading, term, mentions):
            agrees = is_subject == (term.concept == relation.name)
            agreed += agrees
            opposed += (not agrees) and is_firm
    if agreed or opposed:
        return agreed > 0 and opposed <= agreed
    return bool(terms)


def _mentions(reading: Reading, relation: Relation) -> Sequence[Mention]:
    """Return where a rewrite mentions the two things."""
    found = []
    wanted = relation.subject.concepts | relation.reference.concepts
    for at in reading.starts(THINGS):
        if wanted.isdisjoint(reading.phrases[at].things):
            continue  # most of them: without this, half of the time goes into making their nouns
        noun = known_noun(reading, at)
        if noun is not None and noun.may_be(relation.subject):
            found.append(Mention(noun.start, noun.end, is_subject=True))
        elif noun is not None and noun.may_be(relation.reference):
            found.append(Mention(noun.start, noun.end, is_subject=False))
        if len(found) >= _MAX_MENTIONS:
            break
    return found


def _subjects(
    reading: Reading, term: Term, mentions: Sequence[Mention]
) -> Iterator[tuple[bool, bool]]:
    """Yield which of the two things a word of place describes, and whether that is certain.

    "A … left of B" places A; "left of B, A" does as well; "on the left, A" and "A … on the left"
    place what is nearest.
    """
    sentence = reading.sentence_of[term.start]
    here = [mention for mention in mentions if reading.sentence_of[mention.start] == sentence]
    before = [mention for mention in here if mention.end <= term.start]
    behind = [mention for mention in here if mention.start >= term.end]
    if is_han(reading, term):
        yield from _han_subjects(reading, term, before, behind)
        return
    bound = _bound_object(reading, term, behind)
    if bound is not None:
        others = [
            mention.is_subject
            for mention in (*reversed(before), *behind)
            if mention.is_subject != bound.is_subject
        ]
        if others:
            yield others[0], True
        return
    nearest = _nearest(reading, term, before, behind)
    names_place = term.concept in SIDES or not PLACES.isdisjoint(
        reading.tokens[term.start : term.end]
    )
    if nearest is not None and names_place:
        yield nearest.is_subject, False


def is_side(reading: Reading, term: Term) -> bool:
    """Whether a word of place is a side of the picture, or of what was named before."""
    is_bound = reading.words(term.start, term.end).endswith("of")
    following = reading.tokens[term.end : term.end + 1]
    return term.concept in SIDES and not is_bound and following not in (["of"], ["side"])


def _bound_object(reading: Reading, term: Term, behind: Sequence[Mention]) -> Mention | None:
    """Return the thing that a word of place is relative to: the noun right behind it."""
    if is_side(reading, term):
        return None
    if not behind or behind[0].start - term.end > 6:
        return None
    between = reading.tokens[term.end : behind[0].start]
    if any(token in {",", "，", "is", "are", "stands", "sits"} for token in between):
        return None
    positions = range(term.end, behind[0].start)
    if any(_is_between(reading, at, behind[0]) for at in positions):
        return None
    return behind[0]


def _is_between(reading: Reading, at: int, thing: Mention) -> bool:
    """Whether another thing or place stands before a thing; "stone" of "stone bridge" does not."""
    noun = known_noun(reading, at)
    if noun is not None and noun.end != thing.start:
        return True
    return any(term.kind == "relation" and term.concept in CONVERSES for term in reading.at(at))


def _nearest(
    reading: Reading, term: Term, before: Sequence[Mention], behind: Sequence[Mention]
) -> Mention | None:
    """Return what is nearest to a place in the picture; at the start of a clause it is behind."""
    previous = reading.tokens[term.start - 1] if term.start else "."
    opens = previous in {",", ".", "while", "and", ";", "，", "。"} or term.start == 0
    if behind and (opens or not before) and behind[0].start - term.end <= REACH:
        return behind[0]
    if before and term.start - before[-1].end <= REACH:
        return before[-1]
    return None


def _han_subjects(
    reading: Reading, term: Term, before: Sequence[Mention], behind: Sequence[Mention]
) -> Iterator[tuple[bool, bool]]:
    """Yield the thing placed by "A在B左边", "B左边是A", "左边是A" and "A在左边"."""
    last = before[-1] if before else None
    is_relative = (
        last is not None
        and term.start - last.end <= 1
        and (reading.tokens[last.end : term.start] in ([], ["的"]))
    )
    if is_relative and last is not None:
        others = [other for other in reversed(before[:-1]) if other.is_subject != last.is_subject]
        if others and "在" in reading.tokens[others[0].end : last.start]:
            yield others[0].is_subject, True
            return
        following = [other for other in behind if other.is_subject != last.is_subject]
        if following:
            yield following[0].is_subject, True
        elif others:
            yield others[0].is_subject, True
        return
    following_token = reading.tokens[term.end : term.end + 1]
    opens = bool(following_token) and following_token[0] in "是有为站坐放摆，立停"
    if behind and (opens or last is None):
        yield behind[0].is_subject, False
    elif last is not None and term.start - last.end <= REACH:
        yield last.is_subject, False
