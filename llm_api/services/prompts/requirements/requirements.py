"""Reads what a prompt requires of its picture: texts, counts, things, colors and places.

Only what a prompt states is required: no number where it says "some", no thing that it denies, no
color that may be another's. What is said of a place and is no direction in the picture ("on",
"behind") is of the kind `other`.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from llm_api.domain.judging import PromptRequirement
from llm_api.services.prompts.constraints.constraints import Constraints, find_constraints
from llm_api.services.prompts.constraints.negations import Negation
from llm_api.services.prompts.constraints.nouns import Noun
from llm_api.services.prompts.constraints.reading import Reading
from llm_api.services.prompts.constraints.relations import CONVERSES
from llm_api.services.prompts.constraints.scene import Place, Scene, Thing, find_scene
from llm_api.services.prompts.language import is_foreign
from llm_api.services.prompts.requirements.foreign import foreign_requirements
from llm_api.services.prompts.requirements.wording import Wording
from llm_api.services.prompts.text import fold, tokens_of
from llm_api.services.prompts.vocabulary.words import is_plural, little_words, plural

_MAX_REQUIREMENTS = 40
_CACHED_PROMPTS = 64
_DIRECTIONS = {"left": "left_of", "right": "right_of", "above": "above", "below": "below"}
# "On top of" and "over" say what touches or covers what, which no direction in the picture shows.
_APART = frozenset(
    ["above", "higher than", "hovers over", "floating over", "上方", "正上方", "之上", "上空"]
)
TEXT = "text"  # the name of all that can be read, where none of it is wanted
_DENIED_SIGNS = {
    **dict.fromkeys(["text", "texts", "words", "letters", "lettering", "writing"], TEXT),
    **dict.fromkeys(["文字", "字"], TEXT),
    "人": "person",
}
_BEFORE_DENIED = frozenset(["any", "visible", "other", "任", "何", "有"])
_BEHIND_DENIED = frozenset(
    ["or", "and", "in", "on", "at", "with", "的", "和", "或", "在", "与", "及"]
)
_IN_TWOS = frozenset(["couple"])  # 一对情侣 is one
_SAID_OF_PLACES = frozenset(["beside", "inside"])
# Words of a sentence about a picture that ask for nothing more.
_FILLING = little_words("requirements_filling")
_HAN_FILLING = frozenset("".join(word for word in _FILLING if not word.isascii()))
_CARRIERS = frozenset(["sign", "poster", "banner", "screen", "flag", "plaque", "book", "shirt"])


@functools.lru_cache(maxsize=_CACHED_PROMPTS)
def requirements_of(prompt: str) -> tuple[PromptRequirement, ...]:
    """Return what a prompt asks for and a picture can be held against, at most 40 things.

    Of prompts that are neither English nor Chinese these are quoted texts and numbers only.
    """
    if is_foreign(prompt):
        return tuple(islice(foreign_requirements(prompt), _MAX_REQUIREMENTS))
    found = _found(find_scene(prompt), find_constraints(prompt))
    return tuple(islice(dict.fromkeys(found), _MAX_REQUIREMENTS))


def read_checkpoint(sentence: str) -> tuple[tuple[PromptRequirement, ...], bool]:
    """Return what a sentence about a picture asks for, and whether that is all that it says."""
    requirements = requirements_of(sentence)
    if is_foreign(sentence):
        return requirements, False
    if any(one.kind == "text" for one in requirements):  # the sign only carries what is asked for
        requirements = tuple(one for one in requirements if not _is_carrier(one))
    scene = find_scene(sentence)
    is_read = all(map(_is_filling, scene.not_understood)) and not _has_more(sentence, scene)
    return requirements, bool(requirements) and is_read


def _has_more(sentence: str, scene: Scene) -> bool:
    """Whether a sentence says what no requirement does: "about ten", "not red", "behind"."""
    requirements = requirements_of(sentence)
    has_negator = bool(find_constraints(sentence).reading.of("negator"))
    is_denial_read = any(one.count == 0 for one in requirements)
    is_vague = any(
        (thing.count > 1 and not thing.counted) or (thing.color and not thing.colored)
        for thing in scene.things
    )
    placed = [one for one in requirements if one.relation or one.kind == "other"]
    shown = [writing for writing in scene.writings if writing.is_shown]
    return (
        (has_negator and not is_denial_read)
        or is_vague
        or len(scene.places) > len(placed)
        or len(shown) < len(scene.writings)
    )


def _is_carrier(requirement: PromptRequirement) -> bool:
    return requirement.kind == "object" and requirement.thing in _CARRIERS


def _is_filling(words: str) -> bool:
    if words.isascii():
        return all(word in _FILLING for word in words.split())
    return all(sign in _HAN_FILLING for sign in words)


def _found(scene: Scene, constraints: Constraints) -> Iterator[PromptRequirement]:
    wording = Wording(constraints.language)
    for writing in scene.writings:
        if writing.is_shown:
            text = writing.text
            yield PromptRequirement("text", wording.text(text), text, text=text)
    yield from _things(scene.things, wording)
    for writing in scene.writings:
        if writing.is_shown and writing.place is not None:
            yield PromptRequirement(
                "position",
                wording.text_place(writing.text, writing.place),
                writing.text,
                text=writing.text,
                relation=writing.place,
            )
    yield from _places(scene, wording)
    yield from _nearby(constraints, scene, wording)
    yield from _denied(constraints, scene, wording)
    yield from _denied_signs(constraints.reading, scene, wording)


def _things(things: Sequence[Thing], wording: Wording) -> Iterator[PromptRequirement]:
    """Yield numbers and things, and then colors: these tell things of one name apart."""
    several = Counter(thing.name for thing in things)
    colored = []
    for thing in things:
        name, color = thing.name, thing.color if thing.colored else None
        told_by = color if several[name] > 1 else None
        words = wording.with_color(thing.words, told_by) if told_by else thing.words
        if thing.counted and name not in _IN_TWOS:
            asked = wording.count(_in_number(words, thing.count), thing.count)
            count = thing.count
            yield PromptRequirement("count", asked, thing.counted, name, count, color=told_by)
        else:
            source = thing.colored if told_by else thing.words
            yield PromptRequirement("object", wording.thing(words), source, name, color=told_by)
        if color is not None and not told_by:
            asked = wording.color(words, color)
            colored.append(PromptRequirement("color", asked, thing.colored, name, color=color))
    yield from colored


def _in_number(words: str, count: int) -> str:
    """Return a noun in the plural where it is counted so."""
    first, gap, last = words.rpartition(" ")
    if not words.isascii() or count == 1 or is_plural(last):
        return words
    return f"{first}{gap}{plural(last)}"


def _places(scene: Scene, wording: Wording) -> Iterator[PromptRequirement]:
    for place in scene.places:
        subject = scene.things[place.subject]
        other = None if place.reference is None else scene.things[place.reference]
        is_hint = place.is_hint or "手" in place.words  # 左手边 may be somebody's
        if is_hint or (other is not None and other.name == subject.name):
            continue  # which of them it is cannot be told
        relation = _direction(place)
        kind = "position" if relation is not None else "other"
        if relation is None:
            if other is None:
                continue  # "in the background"
            relation = _worded(place)
        asked = wording.position(subject.words, relation, other.words if other else None)
        yield PromptRequirement(
            kind,
            asked,
            place.source,
            thing=subject.name,
            relation=relation if kind == "position" else None,
            other=other.name if other else None,
        )


def _direction(place: Place) -> str | None:
    """Return the direction in the picture that a place is, None where it is none."""
    is_contact = place.name == "above" and place.reference is not None
    if is_contact and place.words not in _APART:
        return None
    return _DIRECTIONS.get(place.name)


def _worded(place: Place) -> str:
    if place.name != "above":
        return place.name
    return "over" if "over" in place.words.split() else "on"


def _nearby(
    constraints: Constraints, scene: Scene, wording: Wording
) -> Iterator[PromptRequirement]:
    names = {thing.name for thing in scene.things}
    for relation in constraints.relations:
        pair = (relation.subject, relation.reference)
        is_known = {one.concept for one in pair} <= names
        is_content = constraints.reading.tokens[relation.subject.start - 1] == "of"
        if relation.name not in _SAID_OF_PLACES or not is_known or is_content:
            continue  # "a cup of coffee next to a laptop"
        subject, other = (_words(constraints.reading, noun) for noun in pair)
        yield PromptRequirement(
            "other",
            wording.position(subject, relation.name, other),
            relation.words,
            thing=relation.subject.concept,
            other=relation.reference.concept,
        )


def _words(reading: Reading, noun: Noun) -> str:
    return reading.words(noun.start, noun.end)


def _denied(
    constraints: Constraints, scene: Scene, wording: Wording
) -> Iterator[PromptRequirement]:
    """Yield the things that shall not be there, as a number of none."""
    shown = {thing.name for thing in scene.things}
    for negation in constraints.negations:
        is_placed = _is_placed(constraints.reading, negation)
        if negation.concept not in shown and _is_thing(negation) and not is_placed:
            name = "person" if negation.concept == "people" else negation.concept
            asked = wording.count(negation.words, 0)
            yield PromptRequirement("count", asked, negation.words, thing=name, count=0)


def _is_placed(reading: Reading, negation: Negation) -> bool:
    """Whether something is denied at a place alone: "no dog on the left", 左边没有狗."""
    size = len(tokens_of(fold(negation.words)))
    for at in sorted(reading.denied):
        if reading.words(at, at + size) == negation.words:
            clause = _clause(reading, at)
            return any(
                term.start in clause and term.concept in CONVERSES
                for term in reading.of("relation")
            )
    return False


def _clause(reading: Reading, at: int) -> range:
    start, end = at, at
    while start > 0 and reading.tokens[start - 1].isalnum():
        start -= 1
    while end < len(reading.tokens) and reading.tokens[end].isalnum():
        end += 1
    return range(start, end)


def _is_thing(negation: Negation) -> bool:
    """Whether something is denied that could be seen, and not what has a rule of its own."""
    return negation.is_known and negation.concept != TEXT


def _denied_signs(reading: Reading, scene: Scene, wording: Wording) -> Iterator[PromptRequirement]:
    """Yield "no text" and 没有人: what the vocabulary has no thing for."""
    for term in reading.of("negator"):
        at = term.end
        while at < len(reading.tokens) and reading.tokens[at] in _BEFORE_DENIED:
            at += 1
        for words, name in _DENIED_SIGNS.items():
            signs = list(words) if not words.isascii() else [words]
            end = at + len(signs)
            is_there = list(reading.tokens[at:end]) == signs
            if is_there and _ends(reading, end) and not (name == TEXT and scene.texts):
                asked = wording.count(words, 0)
                yield PromptRequirement("count", asked, words, thing=name, count=0)


def _ends(reading: Reading, at: int) -> bool:
    """Whether the denied word ends at a token: not 人 of 人行道, nor "text" of "text book"."""
    following = reading.tokens[at] if at < len(reading.tokens) else "."
    return following in _BEHIND_DENIED or not following.isalpha()
