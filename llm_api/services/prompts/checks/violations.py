"""What can be wrong with a rewrite: stable codes, with sentences for the caller and the model."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a rewrite violates.

    `message` is a sentence for the caller, for a warning; `instruction` is a sentence for the model
    that shall correct the rewrite. A hard violation must never reach a caller; a soft one is worth
    a corrective call. `subject` is what was lost, changed or added, in the words of its text.
    """

    code: str
    message: str
    instruction: str
    is_hard: bool
    subject: str = ""


def violation_of(code: str, subject: object = "") -> Violation:
    """Return the violation with a code of violations.toml.

    `subject` is what was lost, changed or added; it is put into both sentences.
    """
    row, words = _table()[code], str(subject)
    message = row["message"].replace("{}", words)
    instruction = row.get("instruction", message).replace("{}", words)
    return Violation(code, message, instruction, row["is_hard"], words)


@functools.cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files(__package__).joinpath("violations.toml").read_text("utf-8")
    return tomllib.loads(text)
