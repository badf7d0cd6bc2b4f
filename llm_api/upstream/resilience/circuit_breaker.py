"""A circuit breaker: an upstream that keeps failing is not called for a while.

It opens after 5 failures in a row, or when half of at least 20 attempts within 30 s failed, or at
once when the upstream refuses the key or the account. After 30 s one attempt is let through: if it
succeeds the circuit closes, else it stays open twice as long, up to 300 s.

The pattern: https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker. It is no
`Cooldown`: it opens on a rate of failures, sends one probe, and waits longer after each failed one.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall

IN_A_ROW = 5
WINDOW_S = 30.0
AT_LEAST = 20
OPEN_S = 30.0
MAX_OPEN_S = 300.0
_JITTER = 0.1  # of the time open, so that many processes do not come back at the same time

# Failures of the upstream; any other fault is one of the request or of the answer.
_FAILURES = frozenset(
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
_FATAL = frozenset(["upstream_auth", "upstream_account"])
_OURS = frozenset(["client_closed", "overloaded", "server_shutdown"])


class Outcome(Enum):
    """What an attempt says about its upstream."""

    SUCCESS = "success"  # it answered, even if it refused the request
    FAILURE = "failure"
    FATAL = "fatal"  # it will refuse every other attempt, too
    UNKNOWN = "unknown"  # the attempt was given up


class CircuitOpen(Exception):
    """No attempt may be made for `wait` more seconds."""

    def __init__(self, wait: float) -> None:
        """Create it with the wait in seconds."""
        super().__init__(wait)
        self.wait = wait


@dataclass(slots=True)
class _Second:
    """The attempts that ended within one second."""

    began_at: float
    attempts: int = 0
    failures: int = 0


class CircuitBreaker:
    """The circuit breaker of one endpoint, in this process."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        *,
        is_enabled: bool = True,
    ) -> None:
        """Create a closed circuit.

        Args:
            clock: monotonic time in seconds.
            uniform: draws a random number between two others.
            is_enabled: false for a circuit that never opens.
        """
        self._is_enabled = is_enabled
        self._clock = clock
        self._uniform = uniform
        self._lock = threading.Lock()
        self._seconds: deque[_Second] = deque()
        self._in_a_row = 0
        self._openings = 0
        self._open_until: float | None = None
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Whether attempts are refused now, all of them or all but a probe."""
        return self._open_until is not None

    @property
    def wait(self) -> float:
        """Seconds until an attempt may be made; 0 if it may be made now."""
        with self._lock:
            if self._open_until is None:
                return 0.0
            wait = self._open_until - self._clock()
            return max(wait, 1.0) if wait > 0 or self._is_probing else 0.0

    def enter(self) -> bool:
        """Admit an attempt; return True if it is the probe. Raises CircuitOpen."""
        with self._lock:
            if self._open_until is None:
                return False
            wait = self._open_until - self._clock()
            if wait > 0 or self._is_probing:
                raise CircuitOpen(max(wait, 1.0))
            self._is_probing = True
            return True

    def leave(self, outcome: Outcome, *, was_probe: bool) -> None:
        """Record the `outcome` of an attempt; `was_probe` is what `enter` returned for it."""
        if not self._is_enabled:
            return
        with self._lock:
            if was_probe:
                self._is_probing = False
            elif self._open_until is not None:
                return  # it began before the circuit opened and says nothing new
            if outcome is Outcome.UNKNOWN:
                return
            has_failed = outcome is not Outcome.SUCCESS
            if was_probe and not has_failed:
                self._close()
            self._record(has_failed=has_failed)
            if outcome is Outcome.FATAL or (has_failed and (was_probe or self._fails_too_often())):
                self._open()

    def _record(self, *, has_failed: bool) -> None:
        now = self._clock()
        while self._seconds and self._seconds[0].began_at <= now - WINDOW_S:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1].began_at <= now - 1:
            self._seconds.append(_Second(now))
        self._seconds[-1].attempts += 1
        self._seconds[-1].failures += has_failed
        self._in_a_row = self._in_a_row + 1 if has_failed else 0

    def _fails_too_often(self) -> bool:
        if self._in_a_row >= IN_A_ROW:
            return True
        attempts = sum(second.attempts for second in self._seconds)
        failures = sum(second.failures for second in self._seconds)
        return attempts >= AT_LEAST and 2 * failures >= attempts

    def _open(self) -> None:
        self._openings += 1
        wait = min(OPEN_S * 2 ** (self._openings - 1), MAX_OPEN_S)
        self._open_until = self._clock() + wait * self._uniform(1 - _JITTER, 1 + _JITTER)

    def _close(self) -> None:
        self._open_until = None
        self._openings = self._in_a_row = 0
        self._seconds.clear()


class Permit:
    """An attempt that the circuit breaker admitted."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        """Ask the breaker; raises CircuitOpen."""
        self._breaker = breaker
        self._was_probe = breaker.enter()
        self._has_succeeded = False

    def record(self, outcome: Outcome) -> None:
        """Report an outcome; a stream that began successfully can still fail."""
        if self._has_succeeded and outcome is not Outcome.FAILURE:
            return
        self._has_succeeded = outcome is Outcome.SUCCESS
        self._breaker.leave(outcome, was_probe=self._was_probe)
        self._was_probe = False

    @contextmanager
    def recording(self, call: UpstreamCall) -> Iterator[None]:
        """Report how the call's attempt inside the block ends."""
        outcome = Outcome.UNKNOWN
        try:
            yield
            outcome = Outcome.SUCCESS
        except faults.Fault as fault:
            # An impatient client must not make an upstream look broken and close it for everybody.
            outcome = Outcome.UNKNOWN if call.client_deadline_passed else _outcome_of(fault)
            raise
        finally:
            self.record(outcome)


def _outcome_of(fault: faults.Fault) -> Outcome:
    reason = fault.error.reason
    if reason in _FATAL:
        return Outcome.FATAL
    if reason in _FAILURES:
        return Outcome.FAILURE
    return Outcome.UNKNOWN if reason in _OURS else Outcome.SUCCESS
