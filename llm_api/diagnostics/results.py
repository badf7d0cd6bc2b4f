"""What an examination of the installation finds."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended; only `FAIL` makes the installation unfit."""

    OK = "ok"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found and, for a `WARN` or a `FAIL`, one sentence on what to do.

    Neither holds a key, a prompt, or anything that an upstream or a store has said.
    """

    state: State
    found: str
    advice: str = ""


def ok(found: str) -> CheckResult:
    """Say that all is well."""
    return CheckResult(State.OK, found)


def warn(found: str, advice: str) -> CheckResult:
    """Say that it works, though not as it should."""
    return CheckResult(State.WARN, found, advice)


def fail(found: str, advice: str) -> CheckResult:
    """Say that it does not work."""
    return CheckResult(State.FAIL, found, advice)


def skipped(why: str) -> CheckResult:
    """Say why a check was not made."""
    return CheckResult(State.SKIPPED, why)
