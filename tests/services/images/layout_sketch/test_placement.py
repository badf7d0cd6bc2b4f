"""Every place that is told as kept is kept, whatever else a prompt says."""

import random

from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.images.layout_sketch.placement import Area, Placement, placed
from llm_api.services.prompts import Place, Scene, Thing

ROOM = Area(0, 80, 1024, 1024)
NAMES = {"left": (0, False), "right": (0, True), "above": (1, False), "below": (1, True)}
PLACES = st.tuples(
    st.integers(0, 4), st.sampled_from(sorted(NAMES)), st.none() | st.integers(0, 4)
).filter(lambda place: place[0] != place[2])


def edges(areas: tuple[Area, ...], axis: int) -> tuple[int, int]:
    """Return where areas begin and end along an axis."""
    return min(area[axis] for area in areas), max(area[axis + 2] for area in areas)


def is_kept(place: Place, placement: Placement) -> bool:
    """Whether a thing is where it is told to be, by all of its shapes."""
    axis, is_turned = NAMES[place.name]
    first = edges(placement.areas[place.subject], axis)
    middle = (ROOM[axis] + ROOM[axis + 2]) / 2
    second = (middle, middle)
    if place.reference is not None:
        second = edges(placement.areas[place.reference], axis)
    return first[0] >= second[1] if is_turned else first[1] <= second[0]


@given(st.lists(PLACES, max_size=6), st.lists(st.integers(1, 4), min_size=5, max_size=5))
def test_what_is_told_is_true(places: list[tuple[int, str, int | None]], counts: list[int]) -> None:
    things = tuple(Thing(f"thing {number}", count) for number, count in enumerate(counts))
    scene = Scene(things, tuple(Place(*place) for place in places), (), ())

    placement = placed(scene, ROOM, random.Random(7))  # noqa: S311  # of places in a picture

    assert all(is_kept(place, placement) for place in placement.kept)
    assert len(placement.kept) + len(placement.dropped) == len(scene.places)
