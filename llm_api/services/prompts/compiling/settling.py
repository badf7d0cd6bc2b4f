"""Puts a model's plan of a scene right: what the user said stands, and nothing is added."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from llm_api.domain.prompts import TAGS
from llm_api.services.prompts.checks.across_languages import is_in_other_language
from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.constraints.scene import Scene, find_scene
from llm_api.services.prompts.dialects.own_words import plan_of_text
from llm_api.services.prompts.dialects.plan import Box, Plan, PlannedText, PlannedThing
from llm_api.services.prompts.language import is_piece_of_another
from llm_api.services.prompts.repair.removal import REMOVED
from llm_api.services.prompts.task import Task

_Things = tuple[PlannedThing, ...]
_TAG_FORMS = frozenset({TAGS, "midjourney"})
# Whether the middle of a box is where a place says, from those of the thing and of the other one.
_SIDES = {"left": (0, -1), "right": (0, 1), "above": (1, -1), "below": (1, 1)}
_MIDDLE = 50  # percent


def settled(task: Task, plan: Plan) -> Plan:
    """Return a plan with the user's style and texts, no others, and no box against the prompt.

    Surroundings, light and the like in another language than the rewrite's are left out. A picture
    has one moment: nothing happens in it after another thing.
    """
    core = plan.core
    plan = plan.without(lambda piece: piece not in core and is_of_another_language(task, piece))
    scene = find_scene(task.source)
    texts = [text for text in plan.texts if text.text in task.constraints.quotes]
    known = {text.text for text in texts}
    texts += [PlannedText(quote) for quote in scene.texts if quote not in known]
    return replace(
        plan,
        style=_style_of(task, plan),
        beats=plan.beats if task.wanted.type == "video" else (),
        texts=tuple(texts),
        things=_without_wrong_boxes(plan.things, scene),
    )


def is_of_another_language(task: Task, piece: str) -> bool:
    """Whether a piece is in another language than the rewrite's."""
    return is_piece_of_another(piece, task.language, task.source)


def without_additions(task: Task, plan: Plan) -> Plan:
    """Return a plan without the pieces that add what the prompt does not have: each by itself.

    Things stay where the prompt cannot be read: nobody would miss its subject.
    """
    whole = {thing.what for thing in plan.things} or {plan.summary}
    kept: frozenset[str] = frozenset() if task.is_read else frozenset(whole)

    def is_unwanted(piece: str) -> bool:
        if piece in kept:
            return False
        if is_of_another_language(task, piece):
            return True
        found = find_violations(task.source, piece, task.wanted, constraints=task.checked)
        return any(violation.code in REMOVED for violation in found)

    return plan.without(is_unwanted)


def in_own_words(task: Task, plan: Plan) -> Iterator[Plan]:
    """Yield plans that have the user's words for what a model's plan has lost, the fullest first.

    There are none in another language than the prompt's.
    """
    if task.is_translated:
        return
    own = task.source.rstrip(" .。")
    if task.target.form in _TAG_FORMS:
        yield replace(plan, things=(PlannedThing(own), *plan.things))
        yield replace(plan, things=(PlannedThing(own),), beats=())
        return
    yield replace(plan, summary=own)
    yield replace(plan_of_text(task, own), light=plan.light, colors=plan.colors, camera=plan.camera)


def _style_of(task: Task, plan: Plan) -> str:
    """Return the style that was asked for; a model's own name for it only where it has one.

    Of a prompt that cannot be read only the model says what its style is.
    """
    asked = task.wanted.style
    own = [asked] if asked else [style.words for style in task.constraints.styles]
    if not own:
        return "" if task.is_read else plan.style
    is_named = any(words.casefold() in plan.style.casefold() for words in own)
    is_renamed = (is_named or task.is_translated) and not asked
    is_welcome = is_renamed or is_in_other_language(own[0], task.language)
    return plan.style if plan.style and is_welcome else own[0]


def _without_wrong_boxes(things: _Things, scene: Scene) -> _Things:
    """Return things without the boxes that contradict a place that the prompt names."""
    wrong: set[int] = set()
    for place in scene.places:
        if place.name not in _SIDES:
            continue
        subject = _thing_named(things, scene.things[place.subject].name)
        other = None
        if place.reference is not None:
            other = _thing_named(things, scene.things[place.reference].name)
            if other is None:
                continue
        if subject is not None and _is_wrong(place.name, things, subject, other):
            wrong.update(at for at in (subject, other) if at is not None)
    return tuple(
        replace(thing, box=None) if at in wrong else thing for at, thing in enumerate(things)
    )


def _is_wrong(name: str, things: _Things, subject: int, other: int | None) -> bool:
    box = things[subject].box
    reference = None if other is None else things[other].box
    if box is None or (other is not None and reference is None):
        return False
    axis, direction = _SIDES[name]
    there = _MIDDLE if reference is None else _middle(reference)[axis]
    return (_middle(box)[axis] - there) * direction <= 0


def _middle(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def _thing_named(things: Iterable[PlannedThing], name: str) -> int | None:
    """Return which thing a name is that of, None if not just one has it."""
    stem = name.casefold().removesuffix("s")
    found = [at for at, thing in enumerate(things) if stem in thing.what.casefold()]
    return found[0] if len(found) == 1 else None
