"""What can be wrong with a rewrite: stable words, with a sentence for each."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a rewrite.

    `message` is one sentence, fit for a model that is to do better and for the user's warning. A
    hard violation must never reach a user; a soft one is worth a corrective call.
    """

    code: str
    message: str
    is_hard: bool


def violation(code: str, thing: object = "") -> Violation:
    """Return the violation of a code; `thing` is what was lost, changed or added."""
    row = _table()[code]
    return Violation(code, row["sentence"].replace("{}", str(thing)), row["is_hard"])


def codes() -> frozenset[str]:
    """Return every code there is."""
    return frozenset(_table())


@functools.cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files(__package__).joinpath("violations.toml").read_text("utf-8")
    return tomllib.loads(text)
