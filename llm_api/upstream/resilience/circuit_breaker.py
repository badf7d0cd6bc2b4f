"""A circuit breaker: an upstream that keeps failing is left alone for a while.

It opens after 5 faults in a row, or when half of at least 20 attempts within 30 s were faults, or
at once when the upstream refuses the key or the account. After 30 s one attempt is let through: if
it goes well the circuit closes, else it stays open twice as long, up to 300 s.
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
_JITTER = 0.1  # of the time open, so that many processes do not come back in one moment


class Outcome(Enum):
    """What an attempt says about its upstream."""

    GOOD = "good"  # it answered, be it with a refusal of the request
    FAULT = "fault"
    FATAL = "fatal"  # it will refuse every other attempt, too
    UNKNOWN = "unknown"  # the attempt was given up


class CircuitOpen(Exception):
    """No attempt may be made now; `wait` says for how many seconds."""

    def __init__(self, wait: float) -> None:
        """Take the wait."""
        super().__init__(wait)
        self.wait = wait


@dataclass(slots=True)
class _Second:
    """The attempts that ended within one second."""

    began_at: float
    attempts: int = 0
    faults: int = 0


class CircuitBreaker:
    """Knows how an upstream has been doing, in this process."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        *,
        is_enabled: bool = True,
    ) -> None:
        """Begin closed. `clock` is monotonic, in seconds."""
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
        """Whether attempts are refused at the moment, all or all but one."""
        return self._open_until is not None

    @property
    def wait(self) -> float:
        """Seconds until an attempt may be made; 0 where it may be made now."""
        with self._lock:
            if self._open_until is None:
                return 0.0
            wait = self._open_until - self._clock()
            return max(wait, 1.0) if wait > 0 or self._is_probing else 0.0

    def enter(self) -> bool:
        """Ask for an attempt: True if it is the one that decides; raises CircuitOpen."""
        with self._lock:
            if self._open_until is None:
                return False
            wait = self._open_until - self._clock()
            if wait > 0 or self._is_probing:
                raise CircuitOpen(max(wait, 1.0))
            self._is_probing = True
            return True

    def leave(self, outcome: Outcome, *, was_probe: bool) -> None:
        """Note how an attempt ended."""
        if not self._is_enabled:
            return
        with self._lock:
            if was_probe:
                self._is_probing = False
            elif self._open_until is not None:
                return  # it began before the circuit opened: old news
            if outcome is Outcome.UNKNOWN:
                return
            is_fault = outcome is not Outcome.GOOD
            if was_probe and not is_fault:
                self._close()
            self._note(is_fault=is_fault)
            if outcome is Outcome.FATAL or (is_fault and (was_probe or self._is_too_much())):
                self._open()

    def _note(self, *, is_fault: bool) -> None:
        now = self._clock()
        while self._seconds and self._seconds[0].began_at <= now - WINDOW_S:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1].began_at <= now - 1:
            self._seconds.append(_Second(now))
        self._seconds[-1].attempts += 1
        self._seconds[-1].faults += is_fault
        self._in_a_row = self._in_a_row + 1 if is_fault else 0

    def _is_too_much(self) -> bool:
        if self._in_a_row >= IN_A_ROW:
            return True
        attempts = sum(second.attempts for second in self._seconds)
        faults = sum(second.faults for second in self._seconds)
        return attempts >= AT_LEAST and 2 * faults >= attempts

    def _open(self) -> None:
        self._openings += 1
        wait = min(OPEN_S * 2 ** (self._openings - 1), MAX_OPEN_S)
        self._open_until = self._clock() + wait * self._uniform(1 - _JITTER, 1 + _JITTER)

    def _close(self) -> None:
        self._open_until = None
        self._openings = self._in_a_row = 0
        self._seconds.clear()
