"""Sees where a rewrite says the contrary of what it lost: nothing can be put beside that."""

from collections.abc import Sequence
from dataclasses import replace

from llm_api.services.prompts.checks.violations import Violation, violation
from llm_api.services.prompts.constraints.camera import find_camera
from llm_api.services.prompts.constraints.colors import ColorOf, find_colors
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.constraints.relations import CONVERSES, keeps_relation
from llm_api.services.prompts.task import Task

# Of each kind a picture has one only.
_RIVALS = (
    {"close up", "extreme close up", "macro", "medium shot", "full shot", "wide shot"},
    {"low angle", "high angle", "top view", "aerial", "eye level"},
    {"front view", "side view", "rear view"},
)
_STILL = "still frame"


def is_contrary(task: Task, rewrite: str, wrong: Sequence[Violation]) -> bool:
    """Whether a rewrite gives a thing of the prompt another color, or the opposite place."""
    reading = read(rewrite)
    lost = [one for one in task.locks.colors if violation("color_lost", one.words) in wrong]
    if any(_has_another(task, reading, color) for color in lost):
        return True
    return any(
        keeps_relation(reading, replace(one, name=CONVERSES[one.name]))
        for one in task.locks.relations
        if one.name in CONVERSES and violation("relation_lost", one.words) in wrong
    )


def is_filmed_otherwise(task: Task, rewrite: str, label: str) -> bool:
    """Whether a rewrite names another size or angle than the one it lost, or moves in a still."""
    asked = find_camera(read(task.source))
    found = find_camera(read(rewrite), is_strict=True)
    if label == _STILL and found.moves - asked.moves - {"static"}:
        return True
    rivals = set().union(*(kind for kind in _RIVALS if label in kind)).difference(asked.labels())
    return not rivals.isdisjoint(found.labels())


def is_drawn_otherwise(task: Task, rewrite: str) -> bool:
    """Whether a rewrite names a drawn style that nobody asked for."""
    asked = read(f"{task.source}. {task.wanted.style or ''}")
    known = {term.concept for term in asked.of("drawn")}
    return any(term.concept not in known for term in read(rewrite).of("drawn"))


def _has_another(task: Task, reading: Reading, color: ColorOf) -> bool:
    """Whether a thing that has lost its color has one that the prompt does not give it."""
    noun = color.noun
    if noun is None:
        return False
    own = {one.color for one in task.locks.colors if one.noun and one.noun.may_be(noun)}
    return any(
        one.noun is not None and one.noun.may_be(noun) and one.color not in own
        for one in find_colors(reading, with_parts=False)
    )
