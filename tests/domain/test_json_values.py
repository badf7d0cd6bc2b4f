"""What is written as JSON is read back as it was, also by another release."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from llm_api.domain.json_values import from_json


class Color(StrEnum):
    """A color."""

    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    """A value in another one."""

    name: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    """A value with everything that is taken."""

    color: Color
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    pairs: tuple[tuple[str, int], ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)


def again(value: Outer) -> Outer:
    """Write a value, and read it."""
    return from_json(Outer, orjson.loads(orjson.dumps(value)))


def test_a_value_is_read_as_it_was_written() -> None:
    value = Outer(
        Color.RED,
        Inner("a", 1),
        (Inner("b"), Inner("c", 0)),
        (("x", 1), ("y", 2)),
        {"d": Inner("d")},
        {"any": [1, {"thing": None}]},
    )

    assert again(value) == value
    assert again(Outer(Color.RED)) == Outer(Color.RED)


def test_fields_of_other_releases_are_passed_over() -> None:
    assert from_json(Inner, {"name": "a", "unheard_of": 1}) == Inner("a")
