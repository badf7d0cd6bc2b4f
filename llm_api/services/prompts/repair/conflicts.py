"""Finds where a rewrite contradicts what it lost: nothing can be restored beside that."""

from collections.abc import Sequence
from dataclasses import replace

from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.camera import find_camera
from llm_api.services.prompts.constraints.colors import ColorOf, find_colors
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.constraints.relations import CONVERSES, keeps_relation
from llm_api.services.prompts.task import Task

# A picture has at most one of each kind.
_RIVALS = (
    {"close up", "extreme close up", "macro", "medium shot", "full shot", "wide shot"},
    {"low angle", "high angle", "top view", "aerial", "eye level"},
    {"front view", "side view", "rear view"},
)
_STILL = "still frame"


def contradicts(task: Task, rewrite: str, wrong: Sequence[Violation]) -> bool:
    """Whether a rewrite gives a thing of the prompt another color, or the opposite place.

    Only colors and places are compared that are lost according to its violations (`wrong`).
    """
    reading = read(rewrite)
    lost = [
        color
        for color in task.constraints.colors
        if violation_of("color_lost", color.words) in wrong
    ]
    if any(_has_another(task, reading, color) for color in lost):
        return True
    return any(
        keeps_relation(reading, replace(relation, name=CONVERSES[relation.name]))
        for relation in task.constraints.relations
        if relation.name in CONVERSES and violation_of("relation_lost", relation.words) in wrong
    )


def is_filmed_otherwise(task: Task, rewrite: str, label: str) -> bool:
    """Whether a rewrite names another shot or angle than the lost `label`, or moves a still."""
    wanted = find_camera(read(task.source))
    found = find_camera(read(rewrite), is_strict=True)
    if label == _STILL and found.moves - wanted.moves - {"static"}:
        return True
    rivals = set().union(*(kind for kind in _RIVALS if label in kind)).difference(wanted.labels())
    return not rivals.isdisjoint(found.labels())


def is_drawn_otherwise(task: Task, rewrite: str) -> bool:
    """Whether a rewrite names a drawn style that was not requested."""
    wanted = read(f"{task.source}. {task.wanted.style or ''}")
    known = {term.concept for term in wanted.of("drawn")}
    return any(term.concept not in known for term in read(rewrite).of("drawn"))


def _has_another(task: Task, reading: Reading, color: ColorOf) -> bool:
    """Whether a thing that has lost its color has one that the prompt does not give it."""
    noun = color.noun
    if noun is None:
        return False
    own = {
        other.color for other in task.constraints.colors if other.noun and other.noun.may_be(noun)
    }
    return any(
        other.noun is not None and other.noun.may_be(noun) and other.color not in own
        for other in find_colors(reading, with_parts=False)
    )
