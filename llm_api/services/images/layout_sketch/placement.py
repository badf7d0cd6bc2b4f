"""Gives the things of a scene their places in the picture.

"Left of" and "above" are orders along the two axes. Each thing gets a column and a row by its place
in them, the longest path from the start, so that all of one thing is left of all of another. Things
that share a cell share it out among themselves, and so do the many of one thing. What no word
places goes where there is room, by the seed.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llm_api.services.prompts import Place, Scene

# Of one kind; more are told, and would be too small to be counted.
MAX_SHAPES = 30
_MARGINS = (0.06, 0.14)  # of a shape's room, on each side, by the seed
_AXES = {"left": (0, False), "right": (0, True), "above": (1, False), "below": (1, True)}


class Area(NamedTuple):
    """A rectangle in pixels; `right` and `bottom` are outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """How wide it is."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """How high it is."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything is: the areas of each thing, and the places that were kept and that not."""

    areas: tuple[tuple[Area, ...], ...]
    kept: tuple[Place, ...]
    dropped: tuple[Place, ...]


def placed(scene: Scene, area: Area, chance: random.Random) -> Placement:
    """Return where the things of a scene are, within an area."""
    orders = tuple(_Order(len(scene.things)) for _ in range(2))
    kept: list[Place] = []
    dropped: list[Place] = []
    for place in scene.places:
        axis, is_turned = _AXES.get(place.name, (None, False))
        is_kept = axis is not None and orders[axis].add(place, is_turned=is_turned)
        (kept if is_kept else dropped).append(place)
    cells = _cells(orders, len(scene.things), chance)
    columns, rows = (order.edges() for order in orders)
    areas: dict[int, tuple[Area, ...]] = {}
    for (column, row), members in cells.items():
        cell = _between(area, columns[column : column + 2], rows[row : row + 2])
        for index, room in zip(members, _shares(cell, len(members)), strict=True):
            shapes = min(scene.things[index].count, MAX_SHAPES)
            shares = _shares(room, shapes)
            areas[index] = tuple(_shape(share, chance) for share in shares)
    in_order = tuple(areas[index] for index in range(len(scene.things)))
    return Placement(in_order, tuple(kept), tuple(dropped))


class _Order:
    """What is before what along an axis. One node more than things is the middle of the picture."""

    def __init__(self, things: int) -> None:
        self._middle = things
        self._behind: list[set[int]] = [set() for _ in range(things + 1)]

    def add(self, place: Place, *, is_turned: bool) -> bool:
        """Add a place; returns whether it agrees with the others."""
        reference = self._middle if place.reference is None else place.reference
        first, second = place.subject, reference
        if is_turned:
            first, second = second, first
        if self._leads(second, first):
            return False
        self._behind[first].add(second)
        return True

    def _leads(self, start: int, end: int) -> bool:
        waiting, seen = [start], {start}
        while waiting:
            node = waiting.pop()
            if node == end:
                return True
            new = self._behind[node] - seen
            seen |= new
            waiting.extend(new)
        return False

    def ranks(self) -> dict[int, int]:
        """Return the ranks of all things that something is said of."""
        named = {node for node, behind in enumerate(self._behind) if behind}
        named = named.union(*self._behind)
        ranks = dict.fromkeys(named, 0)
        for _ in named:  # no path is longer
            for node in named:
                for behind in self._behind[node]:
                    ranks[behind] = max(ranks[behind], ranks[node] + 1)
        return ranks

    @property
    def length(self) -> int:
        """How many ranks there are."""
        return max(self.ranks().values(), default=0) + 1

    def edges(self) -> Sequence[float]:
        """Return where the ranks begin and end, from 0 to 1.

        What is before the middle of the picture shares one half, what is behind it the other one.
        """
        middle = self.ranks().get(self._middle)
        if middle is None:
            return [rank / self.length for rank in range(self.length + 1)]
        first = max(middle, 1)
        second = self.length - first
        halves = ([0.5 * rank / first for rank in range(first)], range(second + 1))
        return [*halves[0], *(0.5 + 0.5 * rank / second for rank in halves[1])]


def _cells(
    orders: Sequence[_Order], things: int, chance: random.Random
) -> dict[tuple[int, int], list[int]]:
    """Return the things of each cell, by its column and row."""
    across, down = (order.ranks() for order in orders)
    columns, rows = (range(order.length) for order in orders)
    cells: dict[tuple[int, int], list[int]] = {}
    fixed_first = sorted(range(things), key=lambda index: -((index in across) + (index in down)))
    for index in fixed_first:
        own_columns = [across[index]] if index in across else list(columns)
        own_rows = [down[index]] if index in down else list(rows)
        free = [(column, row) for column in own_columns for row in own_rows]
        chance.shuffle(free)
        emptiest = min(free, key=lambda cell: len(cells.get(cell, ())))
        cells.setdefault(emptiest, []).append(index)
    for members in cells.values():
        chance.shuffle(members)
    return cells


def _shares(area: Area, count: int) -> Iterator[Area]:
    """Share an area out in equal parts, as square as can be."""
    columns = math.ceil(math.sqrt(count * area.width / max(area.height, 1)))
    columns = max(1, min(columns, count))
    rows = math.ceil(count / columns)
    for index in range(count):
        yield _part(area, (index % columns, columns), (index // columns, rows))


def _part(area: Area, across: tuple[int, int], down: tuple[int, int]) -> Area:
    """Return a cell of a grid: its column of so many columns, and its row of so many rows."""
    (column, columns), (row, rows) = across, down
    return Area(
        area.left + area.width * column // columns,
        area.top + area.height * row // rows,
        area.left + area.width * (column + 1) // columns,
        area.top + area.height * (row + 1) // rows,
    )


def _between(area: Area, across: Sequence[float], down: Sequence[float]) -> Area:
    """Return a part of an area by its edges, each from 0 to 1."""
    (left, right), (top, bottom) = across, down
    return Area(
        area.left + int(area.width * left),
        area.top + int(area.height * top),
        area.left + int(area.width * right),
        area.top + int(area.height * bottom),
    )


def _shape(room: Area, chance: random.Random) -> Area:
    """Return a shape's area within its room, apart from its neighbors."""
    left, top, right, bottom = (chance.uniform(*_MARGINS) for _ in range(4))
    return Area(
        room.left + max(2, round(room.width * left)),
        room.top + max(2, round(room.height * top)),
        max(room.right - max(2, round(room.width * right)), room.left + 3),
        max(room.bottom - max(2, round(room.height * bottom)), room.top + 3),
    )
