"""Checks that a rewrite keeps what was fixed: counts, colors, things, places, style, camera."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llm_api.services.prompts.checks.violations import Violation, violation
from llm_api.services.prompts.constraints.camera import Camera, find_camera
from llm_api.services.prompts.constraints.colors import ColorOf, find_colors
from llm_api.services.prompts.constraints.constraints import Constraints
from llm_api.services.prompts.constraints.counts import Count, find_counts
from llm_api.services.prompts.constraints.names import has_name
from llm_api.services.prompts.constraints.nouns import THINGS, Noun
from llm_api.services.prompts.constraints.reading import Reading
from llm_api.services.prompts.constraints.relations import keeps_relation
from llm_api.services.prompts.constraints.styles import Style
from llm_api.services.prompts.vocabulary.words import fold, stem

_OPPOSITES = {
    "pan_left": "pan_right",
    "pan_right": "pan_left",
    "tilt_up": "tilt_down",
    "tilt_down": "tilt_up",
    "zoom_in": "zoom_out",
    "zoom_out": "zoom_in",
    "orbit_clockwise": "orbit_counterclockwise",
    "orbit_counterclockwise": "orbit_clockwise",
}
_SHOT_KINDS = {"extreme close up": {"close up", "macro"}, "macro": {"close up", "extreme close up"}}
_ANGLE_KINDS = {"aerial": {"top view", "high angle"}, "top view": {"aerial", "high angle"}}


_PRONOUNS = {"man": "he", "boy": "he", "woman": "she", "girl": "she"}


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite, read once for all checks."""

    text: str
    folded: str
    stems: frozenset[str]
    things: frozenset[str]
    reading: Reading
    is_same_language: bool

    def has_any(self, concepts: Iterable[str]) -> bool:
        """Whether one of the vocabulary's words for a thing occurs, or the stem of another."""
        return any(one in self.things or one in self.stems for one in concepts)


def find_lost(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    """Find everything a rewrite lost or changed, quotations aside."""
    yield from _objects(locks, rewrite)
    yield from _counts(locks, rewrite)
    yield from _colors(locks, rewrite)
    yield from _relations(locks, rewrite)
    yield from _styles(locks, rewrite)
    yield from _camera(locks.camera, rewrite.reading)
    if rewrite.is_same_language:
        for name in locks.names:
            if not has_name(rewrite.folded, rewrite.stems, name):
                yield violation("name_lost", name)


def _objects(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    for noun in locks.nouns:
        if not keeps_thing(locks, rewrite, noun):
            yield violation("object_lost", locks.reading.words(noun.start, noun.end))


def keeps_thing(locks: Constraints, rewrite: Rewrite, noun: Noun) -> bool:
    """Whether a rewrite has a thing by one of its names, or by a kind of it."""
    if noun.kind == "anybody":
        found = any(True for _ in rewrite.reading.of("anybody", "person", "pronoun"))
        return found or "their" in rewrite.stems or "them" in rewrite.stems
    if rewrite.has_any(noun.concepts):
        return True
    if noun.concept == "animal" and rewrite.reading.by_kind.get("animate"):
        return True
    pronoun = _PRONOUNS.get(noun.concept)
    if pronoun and rewrite.reading.has("pronoun", pronoun):
        return True
    own = locks.reading.tokens[noun.start : noun.end]
    if not own[0].isascii():
        return "".join(own) in rewrite.folded
    return rewrite.is_same_language and all(stem(word) in rewrite.stems for word in own)


def _counts(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    counted = list({one.key: one for one in find_counts(rewrite.reading)}.values())
    for count in locks.counts:
        if not _keeps_count(count, locks, counted):
            yield violation("count_changed", count.words)
    yield from _multiplied(locks, counted)


def _keeps_count(count: Count, locks: Constraints, counted: Sequence[Count]) -> bool:
    """Whether the number stands with its noun, or with none of the prompt's other things.

    A larger number of the same thing contradicts it; a smaller one may be a part of it.
    """
    if count.value == 1:
        return True
    wanted = {one.value for one in locks.counts if _is_same(one.noun, count.noun)}
    same = [one.value for one in counted if _is_same(one.noun, count.noun)]
    if any(value > sum(wanted) for value in same):
        return False
    others = [one.noun for one in locks.counts if one.noun and not _is_same(one.noun, count.noun)]
    return any(one.value == count.value and not _is_one_of(one.noun, others) for one in counted)


def _is_one_of(noun: Noun | None, others: Iterable[Noun]) -> bool:
    return noun is not None and any(noun.may_be(other) for other in others)


def _is_same(left: Noun | None, right: Noun | None) -> bool:
    if left is None or right is None:
        return left is right
    people = {"person", "anybody"}
    is_anybody = {left.kind, right.kind} <= people and "anybody" in {left.kind, right.kind}
    return is_anybody or left.may_be(right)


def _multiplied(locks: Constraints, counted: Sequence[Count]) -> Iterator[Violation]:
    """Find a thing of which there was one, and now are more."""
    tokens = locks.reading.tokens
    for noun in locks.nouns:
        before = tokens[noun.start - 1] if noun.start else ""
        mentions = [one for one in locks.nouns if one.may_be(noun)]
        if before not in {"a", "an", "one", "single"} or len(mentions) > 1:
            continue
        if any(one.value > 1 and _is_known_same(one.noun, noun) for one in counted):
            yield violation("count_changed", locks.reading.words(noun.start - 1, noun.end))


def _is_known_same(left: Noun | None, right: Noun) -> bool:
    return left is not None and left.concept == right.concept and not left.is_kind


def _colors(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    found = list({one.key: one for one in find_colors(rewrite.reading)}.values())
    for color in locks.colors:
        if not _keeps_color(color, locks, found):
            yield violation("color_lost", color.words)


def _keeps_color(color: ColorOf, locks: Constraints, found: Sequence[ColorOf]) -> bool:
    """Whether a color occurs, and not only with another of the prompt's things."""
    others = [
        one.noun
        for one in locks.colors
        if one.noun and not _is_same(one.noun, color.noun) and one.color != color.color
    ]
    if color.color == "colorful":
        return True
    return any(one.color == color.color and not _is_one_of(one.noun, others) for one in found)


def _relations(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    for relation in locks.relations:
        if not keeps_relation(rewrite.reading, relation):
            yield violation("relation_lost", relation.words)


def _styles(locks: Constraints, rewrite: Rewrite) -> Iterator[Violation]:
    for style in locks.styles:
        if not keeps_style(style, rewrite):
            yield violation("style_lost", style.words)


def keeps_style(style: Style, rewrite: Rewrite) -> bool:
    """Whether a style is named by one of its names."""
    if style.is_known:
        found = any(rewrite.reading.has(kind, style.concept) for kind in ("drawn", "look"))
        return found or style.words in rewrite.folded
    if not rewrite.is_same_language:
        return True
    return all(word in rewrite.stems for word in style.concept.split())


def _camera(asked: Camera, reading: Reading) -> Iterator[Violation]:
    found = find_camera(reading)
    for move in sorted(asked.moves):
        if move not in found.moves:
            yield violation("camera_lost", move.replace("_", " "))
    for kind, kinds, wanted in (
        (found.angles, _ANGLE_KINDS, asked.angles),
        (found.shots, _SHOT_KINDS, asked.shots),
    ):
        for label in sorted(wanted):
            if label not in kind and not kinds.get(label, set()) & kind:
                yield violation("camera_lost", label)
    for move in sorted(find_camera(reading, is_strict=True).moves - asked.moves):
        if any(_contradicts(move, one) for one in asked.moves):
            yield violation("camera_added", move.replace("_", " "))


def _contradicts(move: str, asked: str) -> bool:
    if "static" in {move, asked}:
        return move != asked
    return _OPPOSITES.get(asked) == move


def read_rewrite(text: str, reading: Reading, *, is_same_language: bool) -> Rewrite:
    """Return a rewrite ready for the checks."""
    return Rewrite(
        text=text,
        folded=fold(text),
        stems=frozenset(map(stem, reading.tokens)),
        things=frozenset(term.meaning.concept for term in reading.of(*THINGS)),
        reading=reading,
        is_same_language=is_same_language,
    )
