"""A circuit breaker: what keeps failing is not called for a while.

It opens after 5 failures in a row, or when half of at least 20 attempts within 30 s failed, or at
once where every other attempt would fail, too. After 30 s one attempt is let through: if it
succeeds the circuit closes, else it stays open twice as long, up to 300 s. What a circuit stands
for, an address or one of its models, is said in `endpoint_health.py`.

The pattern: https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker. It is no
`Cooldown`: it opens on a rate of failures, sends one probe, and waits longer after each failed one.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

IN_A_ROW = 5
WINDOW_S = 30.0
AT_LEAST = 20
OPEN_S = 30.0
MAX_OPEN_S = 300.0
_JITTER = 0.1  # of the time open, so that many processes do not come back at the same time


class Outcome(Enum):
    """What an attempt says about its upstream."""

    SUCCESS = "success"  # it answered, even if it refused the request
    FAILURE = "failure"
    FATAL = "fatal"  # it will refuse every other attempt, too
    UNKNOWN = "unknown"  # the attempt was given up


class Change(Enum):
    """What an attempt has done to a circuit."""

    OPENED = "circuit opened"
    CLOSED = "circuit closed"


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
    """A circuit, in this process."""

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
    def is_calm(self) -> bool:
        """Whether it is closed and has seen no failure of late: it might as well be a new one."""
        with self._lock:
            self._forget(self._clock())
            has_failures = any(second.failures for second in self._seconds)
            return self._open_until is None and not self._in_a_row and not has_failures

    @property
    def is_probed(self) -> bool:
        """Whether a probe is in progress."""
        return self._is_probing

    @property
    def in_a_row(self) -> int:
        """How many attempts have failed since the last that did not."""
        return self._in_a_row

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

    def leave(self, outcome: Outcome, *, was_probe: bool, may_open: bool = True) -> Change | None:
        """Record the outcome of an attempt, and return what that changes.

        Args:
            outcome: of the attempt.
            was_probe: what `enter` returned for it.
            may_open: false if the failures so far are no reason, however many they are.
        """
        if not self._is_enabled:
            return None
        with self._lock:
            if was_probe:
                self._is_probing = False
            elif self._open_until is not None:
                return None  # it began before the circuit opened and says nothing new
            if outcome is Outcome.UNKNOWN:
                return None
            has_failed = outcome is not Outcome.SUCCESS
            if was_probe and not has_failed:
                self._close()
            self._record(has_failed=has_failed)
            if outcome is Outcome.FATAL or (
                has_failed and (was_probe or (may_open and self._fails_too_often()))
            ):
                self._open()
                return Change.OPENED
            return Change.CLOSED if was_probe else None

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0].began_at <= now - WINDOW_S:
            self._seconds.popleft()

    def _record(self, *, has_failed: bool) -> None:
        now = self._clock()
        self._forget(now)
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
