"""Puts the drawing of a sketch together, in the terms of `llm_api.pictures.child.drawing`."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_api.domain.making import Size
from llm_api.services.images.layout_sketch import palette
from llm_api.services.images.layout_sketch.placement import MAX_SHAPES, Area, Placement, placed
from llm_api.services.images.layout_sketch.sketch_texts import Lettering, lettered, writable
from llm_api.services.prompts import Place, Scene, Thing, find_scene

LABEL = "LAYOUT SKETCH"
_MAX_TEXTS = 4
_MIN_STRIP = 18
_LABEL_SHARE = 0.08
_TEXT_SHARE = 0.1
_SIDES = {"above": " at the top", "below": " at the bottom"}
_WORDS = {"left": "left of", "right": "right of"}


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is drawn of a prompt: the items of the drawing, and both lists for the caller."""

    items: Sequence[Mapping[str, Any]]
    drawn: tuple[str, ...]
    not_drawn: tuple[str, ...]


def without(scene: Scene, names: Collection[str]) -> Scene:
    """Return a scene without the things of some names."""
    kept = [index for index, thing in enumerate(scene.things) if thing.name not in names]
    new = {old: index for index, old in enumerate(kept)}
    places = []
    for place in scene.places:
        if place.subject in new and (place.reference is None or place.reference in new):
            reference = None if place.reference is None else new[place.reference]
            places.append(Place(new[place.subject], place.name, reference))
    things = tuple(scene.things[index] for index in kept)
    return replace(scene, things=things, places=tuple(places))


def sketched(prompt: str, negative_prompt: str | None, size: Size, seed: int) -> Sketch:
    """Return the sketch of a prompt; the same for the same arguments."""
    scene = find_scene(prompt)
    if negative_prompt:
        avoided = find_scene(negative_prompt).things
        scene = without(scene, {thing.name for thing in avoided})
    chance = random.Random(seed)  # noqa: S311  # of places in a picture
    writings = [writing for writing in scene.writings if writing.is_shown]
    label, free, rows = _areas(size, [writing.place for writing in writings[:_MAX_TEXTS]])
    placement = placed(scene, free, chance)
    texts = [lettered(writing.text, size.width) for writing in writings]
    items = [
        *_label(label),
        *(
            item
            for pair in zip(scene.things, placement.areas, strict=True)
            for item in _thing(*pair)
        ),
        *(item for pair in zip(texts, rows, strict=False) for item in _text(*pair)),
    ]
    if not scene.things and not texts:
        items.append(_written(_inside(free), "Nothing of the prompt could be drawn."))
    sides = [_SIDES.get(writing.place or "", "") for writing in writings]
    drawn, not_drawn = _told(scene, placement, list(zip(texts, sides, strict=True)))
    return Sketch(items, tuple(drawn), tuple(not_drawn))


def _areas(size: Size, places: Sequence[str | None]) -> tuple[Area, Area, list[Area]]:
    """Return the areas of the label, of the things, and of each text by its place.

    Texts are below the things, or above them where the prompt wants them at the top.
    """
    label_height = max(_MIN_STRIP, int(size.height * _LABEL_SHARE))
    height = max(_MIN_STRIP, int(size.height * _TEXT_SHARE))
    above, below = label_height, size.height - sum(one != "above" for one in places) * height
    last, rows = below, []
    for place in places:
        top = above if place == "above" else below
        rows.append(Area(0, top, size.width, top + height))
        if place == "above":
            above += height
        else:
            below += height
    return Area(0, 0, size.width, label_height), Area(0, above, size.width, last), rows


def _label(area: Area) -> Iterator[Mapping[str, Any]]:
    yield _shape("box", area, palette.LABEL_PAPER, None)
    yield _written(_inside(area), LABEL, palette.LABEL_TEXT)


def _thing(thing: Thing, areas: Sequence[Area]) -> Iterator[Mapping[str, Any]]:
    fill = palette.COLORS.get(thing.color or "", palette.UNCOLORED)
    kind = "ellipse" if thing.is_animate else "box"
    name = writable(thing.name)
    for number, area in enumerate(areas, 1):
        yield _shape(kind, area, fill, palette.LINES)
        if name:
            words = name if len(areas) == 1 else f"{name} {number}"
            yield _written(_inside(area), words, palette.ink_on(fill))


def _text(lettering: Lettering, row: Area) -> Iterator[Mapping[str, Any]]:
    yield _shape(
        "box",
        Area(row.left + 2, row.top + 2, row.right - 2, row.bottom - 2),
        palette.TEXT_PAPER,
        palette.LINES,
    )
    yield _written(_inside(row), lettering.written)


def _shape(kind: str, area: Area, fill: str, outline: str | None) -> Mapping[str, Any]:
    return {"kind": kind, "place": list(area), "fill": fill, "outline": outline, "line": 1}


def _written(area: Area, text: str, color: str = palette.TEXT) -> Mapping[str, Any]:
    limit = max(area.height * 2 // 3, 12)
    return {"kind": "text", "place": list(area), "text": text, "color": color, "max_size": limit}


def _inside(area: Area) -> Area:
    """Return the middle of an area, in which words are inside of its shape, be it an ellipse."""
    across, down = area.width // 8, area.height // 8
    return Area(area.left + across, area.top + down, area.right - across, area.bottom - down)


def _told(
    scene: Scene, placement: Placement, texts: Sequence[tuple[Lettering, str]]
) -> tuple[list[str], list[str]]:
    """Return what was drawn and what was not, in words."""
    drawn, not_drawn = [], []
    for thing in scene.things:
        shown = replace(thing, count=min(thing.count, MAX_SHAPES))
        if thing.color is not None and thing.color not in palette.COLORS:
            not_drawn.append(f"the color of the {thing.name}: {thing.color}")
            shown = replace(shown, color=None)
        if thing.count > MAX_SHAPES:
            not_drawn.append(str(replace(thing, count=thing.count - MAX_SHAPES)) + " more")
        drawn.append(str(shown))
    drawn += [_in_words(place, scene.things) for place in placement.kept]
    not_drawn += [_in_words(place, scene.things) for place in placement.dropped]
    for number, (text, side) in enumerate(texts):
        if number >= _MAX_TEXTS:
            not_drawn.append(f'the text "{text.text}"')
        elif text.problem:
            not_drawn.append(text.problem)
        else:
            drawn.append(f'the text "{text.text}"{side}')
    return drawn, [*not_drawn, *scene.not_understood]


def _in_words(place: Place, things: Sequence[Thing]) -> str:
    subject = things[place.subject].name
    if place.reference is not None:
        return f"{subject} {_WORDS.get(place.name, place.name)} {things[place.reference].name}"
    side = f"on the {place.name}" if place.name in _WORDS else place.name
    return f"{subject} {side}"
