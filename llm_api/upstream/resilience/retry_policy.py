"""When an attempt at an upstream is made, and when it is made again.

The numbers: at most 2 attempts at an upstream and 3 for a call over all of them; a random pause of
up to 0.25 s before the second, of up to 1 s after a 429, and never shorter than `Retry-After` asks
for. Nothing is repeated after the first byte of an answer, nor after a read time-out. Where an
upstream has several keys or addresses, its second attempt goes to another one, at once.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from llm_api.domain.calls import never
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, CircuitOpen, Outcome
from llm_api.upstream.resilience.retry_budget import RetryBudget

ATTEMPTS = 2
ATTEMPTS_IN_ALL = 3
MAX_WAIT_S = 10.0  # a longer Retry-After is the caller's to keep
_PAUSE_S = 0.25
_RATE_LIMIT_PAUSE_S = 1.0
_MAX_PAUSE_S = 4.0
_T = TypeVar("_T")

# By these an upstream is known to be ill; any other fault is one of the request or of the answer.
_ILL = frozenset(
    [
        "connect_timeout",
        "upstream_disconnected",
        "upstream_dns",
        "upstream_error",
        "upstream_timeout",
        "upstream_tls",
        "upstream_truncated",
        "upstream_unavailable",
        "upstream_unreachable",
    ]
)
_REFUSING_US = frozenset(["upstream_auth", "upstream_account"])
_OUR_DOING = frozenset(["client_closed", "overloaded", "server_shutdown"])
_TOO_LATE = "upstream_timeout"  # it may still be at work: another attempt would be paid twice


class Permit:
    """An attempt that the circuit breaker let through."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        """Ask for it; raises CircuitOpen."""
        self._breaker = breaker
        self._was_probe = breaker.enter()
        self._is_known_good = False

    def note(self, outcome: Outcome) -> None:
        """Tell the breaker how it goes; a stream that began well can still end badly."""
        if self._is_known_good and outcome is not Outcome.FAULT:
            return
        self._is_known_good = outcome is Outcome.GOOD
        self._breaker.leave(outcome, was_probe=self._was_probe)
        self._was_probe = False


class RetryPolicy:
    """Makes the attempts at one upstream."""

    def __init__(
        self,
        *,
        processes: int = 1,
        has_breaker: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Begin with a closed circuit; the budget's floor is shared by so many `processes`."""
        self._has_breaker = has_breaker
        self._clock = clock
        self._budget = RetryBudget(processes, clock)
        self._sleep = sleep
        self._uniform = uniform

    def new_breaker(self) -> CircuitBreaker:
        """Make the circuit breaker of one of the upstream's keys or addresses."""
        return CircuitBreaker(self._clock, self._uniform, is_enabled=self._has_breaker)

    def run(
        self, call: UpstreamCall, attempt: Callable[[], _T], has_other: Callable[[], bool] = never
    ) -> _T:
        """Make an attempt, and another where that makes sense; raises faults.Fault.

        `has_other` tells whether another key or address is left for the second.
        """
        self._budget.note_request()
        try:
            return attempt()
        except CircuitOpen as refusal:
            raise faults.circuit_open(refusal.wait) from refusal
        except faults.Fault as fault:
            pause = self._pause_after(fault, call, has_other)
            if pause is None:
                raise
            if not self._budget.take():
                # The caller's repeats would be as many as those that were not made here.
                fault.error.retries_exhausted = True
                raise
            first = fault
        try:
            return self._repeat(call, attempt, first, pause)
        finally:
            self._budget.give_back()

    def _repeat(
        self, call: UpstreamCall, attempt: Callable[[], _T], first: faults.Fault, pause: float
    ) -> _T:
        try:
            call.pause(pause, self._sleep)
            if not call.remaining:
                first.error.retries_exhausted = True
                raise first
            return attempt()
        except CircuitOpen as refusal:
            first.error.retries_exhausted = True
            raise first from refusal
        except faults.Fault as fault:
            fault.error.retries_exhausted = True
            raise

    def _pause_after(
        self, fault: faults.Fault, call: UpstreamCall, has_other: Callable[[], bool]
    ) -> float | None:
        """Return the seconds until the next attempt, None where there is to be none."""
        if call.attempts >= ATTEMPTS_IN_ALL or not call.remaining:
            return None
        error = fault.error
        if error.allows_failover and error.reason != _TOO_LATE and has_other():
            return 0.0
        if not fault.is_repeatable:
            return None
        if fault.wait is not None:
            if fault.wait > min(MAX_WAIT_S, call.remaining):
                return None
            return fault.wait + self._uniform(0, _PAUSE_S)
        base = _RATE_LIMIT_PAUSE_S if fault.error.status == 429 else _PAUSE_S
        return self._uniform(0, min(base, _MAX_PAUSE_S))


@contextmanager
def learning(permit: Permit, call: UpstreamCall) -> Iterator[None]:
    """Surround an attempt of the call, and learn from how it ends."""
    outcome = Outcome.UNKNOWN
    try:
        yield
        outcome = Outcome.GOOD
    except faults.Fault as fault:
        # A client in a hurry must not make an upstream look ill, which would shut it for all.
        outcome = Outcome.UNKNOWN if call.client_deadline_passed else _outcome_of(fault)
        raise
    finally:
        permit.note(outcome)


def _outcome_of(fault: faults.Fault) -> Outcome:
    reason = fault.error.reason
    if reason in _REFUSING_US:
        return Outcome.FATAL
    if reason in _ILL:
        return Outcome.FAULT
    return Outcome.UNKNOWN if reason in _OUR_DOING else Outcome.GOOD
