"""Results of checks."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Outcome of a check; only `FAIL` makes the installation unfit."""

    OK = "ok"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found and, for a `WARN` or a `FAIL`, one sentence on what to do.

    Neither quotes a key, a prompt, or what an upstream or a store has sent.
    """

    state: State
    found: str
    advice: str = ""


def ok(found: str) -> CheckResult:
    """Return a passed check."""
    return CheckResult(State.OK, found)


def warn(found: str, advice: str) -> CheckResult:
    """Return a passed check with a warning: what was `found`, and `advice` for the operator."""
    return CheckResult(State.WARN, found, advice)


def fail(found: str, advice: str) -> CheckResult:
    """Return a failed check: what was `found`, and `advice` that would mend it."""
    return CheckResult(State.FAIL, found, advice)


def skipped(reason: str) -> CheckResult:
    """Return a check that was not run."""
    return CheckResult(State.SKIPPED, reason)
