"""A scene in pieces, as a model plans it: code renders them in the form of each target model.

The pieces are short texts in one language. What can be counted or compared in them is read by
`constraints`, as in any text: a plan states nothing twice that could then differ.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_api.services.prompts.text import clean

_MAX_THINGS = 12
_MAX_TEXTS = 8
_MAX_BEATS = 6  # as many shots as Kling takes; more cannot happen in some seconds
_MAX_CHARS = 600
_ENDS = " .,;:。，；：、"
_FULL = 100  # percent
_CORNERS = 4


@dataclass(frozen=True, slots=True)
class Box:
    """Where something is in the picture, in percent of its width and height from the top left."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class PlannedThing:
    """A thing: `what` has its number, color and action; `look` and `where` may be empty."""

    what: str
    look: str = ""
    where: str = ""
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class PlannedText:
    """A text that is to be read in the picture, letter by letter."""

    text: str
    look: str = ""
    where: str = ""
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A scene in pieces; those that are not known are empty.

    `summary` says all of it in a sentence; `beats` are what happens in a video, in its order.
    """

    summary: str = ""
    style: str = ""
    things: tuple[PlannedThing, ...] = ()
    texts: tuple[PlannedText, ...] = ()
    beats: tuple[str, ...] = ()
    setting: str = ""
    light: str = ""
    colors: str = ""
    camera: str = ""
    mood: str = ""
    sound: str = ""

    @property
    def core(self) -> frozenset[str]:
        """The pieces that say what is seen and happens: without them it is another scene."""
        return frozenset([self.summary, *self.beats, *(thing.what for thing in self.things)]) - {""}

    def without(self, is_unwanted: Callable[[str], bool]) -> "Plan":
        """Return a plan without the pieces that are not wanted.

        A thing goes as a whole if its `what` does. Texts stay: they are letters, not things.
        """

        def kept(piece: str) -> str:
            return "" if piece and is_unwanted(piece) else piece

        things = tuple(
            replace(thing, look=kept(thing.look), where=kept(thing.where))
            for thing in self.things
            if kept(thing.what)
        )
        beats = tuple(filter(None, map(kept, self.beats)))
        single: dict[str, Any] = {name: kept(getattr(self, name)) for name in _SINGLE}
        return replace(self, things=things, beats=beats, **single)

    def shorter(self) -> Iterator["Plan"]:
        """Yield plans that say less and less: first without what matters least."""
        plan = self
        for name in ("mood", "sound", "colors", "light", "setting", "camera"):
            if getattr(plan, name):
                bare: dict[str, Any] = {name: ""}
                plan = replace(plan, **bare)
                yield plan
        for at in reversed(range(len(plan.things))):
            if plan.things[at].look:
                plain = replace(plan.things[at], look="")
                plan = replace(plan, things=(*plan.things[:at], plain, *plan.things[at + 1 :]))
                yield plan


# `style` is the user's or none: it is no piece that could be unwanted.
_SINGLE = ("summary", "setting", "light", "colors", "camera", "mood", "sound")


def plan_of(document: Any) -> Plan | None:
    """Return the plan that a model's JSON has; None if it has neither things nor a summary.

    What is not of the form asked for is left out: a number for a text, a box that has no area.
    """
    if not isinstance(document, Mapping):
        return None
    things = tuple(
        PlannedThing(what, _piece(one, "look"), _piece(one, "where"), _box(one.get("box")))
        for one in _objects(document.get("things"))
        if (what := _piece(one, "what"))
    )
    texts = tuple(
        PlannedText(text, _piece(one, "look"), _piece(one, "where"), _box(one.get("box")))
        for one in _objects(document.get("texts"))
        if (text := _written(one.get("text")))
    )
    beats = tuple(filter(None, map(_short, _listed(document.get("beats")))))
    single: dict[str, Any] = {name: _piece(document, name) for name in (*_SINGLE, "style")}
    plan = Plan(
        things=things[:_MAX_THINGS], texts=texts[:_MAX_TEXTS], beats=beats[:_MAX_BEATS], **single
    )
    return plan if plan.things or plan.summary else None


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list; a plain text stands for one of which no more is said."""
    named = [{"what": one, "text": one} if isinstance(one, str) else one for one in _listed(value)]
    return [one for one in named if isinstance(one, Mapping)]


def _piece(document: Mapping[str, Any], name: str) -> str:
    return _short(document.get(name))


def _short(value: Any) -> str:
    """Return a piece without its stop; empty if it is no text, or far too long for one."""
    text = clean(value).rstrip(_ENDS) if isinstance(value, str) else ""
    return text if len(text) <= _MAX_CHARS else ""


def _written(value: Any) -> str:
    """Return a text that is to be read, without the marks that a model puts around it."""
    text = clean(value) if isinstance(value, str) else ""
    bare = text[1:-1] if text[:1] in '"“「' and text[-1:] in '"”」' else text
    return bare if len(bare) <= _MAX_CHARS else ""


def _box(value: Any) -> Box | None:
    """Return a box of four numbers within the picture, with an area; else None."""
    corners = [one for one in _listed(value) if isinstance(one, int | float) and one == one]  # noqa: PLR0124  # NaN is no number
    if len(corners) != _CORNERS or len(_listed(value)) != _CORNERS:
        return None
    if not all(0 <= one <= _FULL for one in corners):
        return None
    box = Box(*map(round, corners))
    return box if box.left < box.right and box.top < box.bottom else None
