"""What a case is: one thing that a user does with an SDK, and what must come out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Facts = Mapping[str, Any]
Place = Literal["scripted", "limited", "bundled"]


@dataclass(frozen=True)
class Failure:
    """An error of the service: what every SDK shows of it; `status` is None inside a stream."""

    status: int | None
    type: str
    code: str
    param: str | None = None


@dataclass(frozen=True)
class Case:
    """One thing that a user does, and what must come out.

    `action` is a function of the programs; families of SDKs that have nothing of the kind stand in
    `lacking`. `differs` says which facts a family shows otherwise. `asked` counts the requests that
    reach the upstream; None is for the bundled model, which counts none. With `repeats` the SDK's
    own repeats are on.
    """

    name: str
    title: str
    action: str
    facts: Facts = field(default_factory=dict)
    differs: Mapping[str, Facts] = field(default_factory=dict)
    failure: Failure | None = None
    asked: int | None = 1
    place: Place = "scripted"
    model: str | None = None
    repeats: bool = False
    lacking: frozenset[str] = frozenset()


class Something:
    """Equal to every value of a type that is not empty, for what a model makes up."""

    def __init__(self, kind: type) -> None:
        """Take the type."""
        self._kind = kind

    __hash__ = None  # type: ignore[assignment]  # it is equal to values of many hashes

    def __eq__(self, other: object) -> bool:
        """Tell whether the value is one of the type, and not empty."""
        return isinstance(other, self._kind) and bool(other)

    def __repr__(self) -> str:
        """Say what is wanted."""
        return f"<some {self._kind.__name__}>"
