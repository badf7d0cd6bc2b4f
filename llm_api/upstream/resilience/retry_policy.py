"""When a failed attempt at an upstream is repeated.

At most 2 attempts are made at an upstream and 3 for a call over all of them. Before the second is
a random pause of up to 0.25 s, or 1 s after a 429, and never less than `Retry-After` asks for.
Nothing is repeated after the first byte of an answer, nor after a read time-out. If an upstream has
several keys or addresses, the second attempt goes to another one, at once.

A budget keeps repeats from multiplying the load of an upstream that is overloaded: at most a fifth
of the requests of the last 10 s are repeated, and a few at once where there is too little traffic
for that to be any. Retry budgets: https://sre.google/sre-book/handling-overload/ ; full jitter:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from llm_api.domain.calls import never
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from llm_api.upstream.resilience.endpoint_health import EndpointHealth

MAX_WAIT_S = 10.0  # a longer Retry-After is left to the caller
_PAUSE_S = 0.25
_RATE_LIMIT_PAUSE_S = 1.0
_TOO_LATE = "upstream_timeout"  # it may still be at work: another attempt would be paid twice

SHARE = 0.2
WINDOW_S = 10.0
FLOOR = 3  # repeats in flight, over all processes
_T = TypeVar("_T")


class RetryBudget:
    """Counts the requests and repeats of one upstream in this process."""

    def __init__(self, processes: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        """Create a budget.

        Args:
            processes: how many processes share the floor of `FLOOR` repeats.
            clock: monotonic time in seconds.
        """
        self._floor = max(1, FLOOR // processes)
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[tuple[float, list[int]]] = deque()  # when, [requests, repeats]
        self._in_flight = 0

    def record_request(self) -> None:
        """Count a request, when its first attempt begins."""
        with self._lock:
            self._current()[0] += 1

    def acquire(self) -> bool:
        """Reserve a repeat, to be released when it has ended; False if none is left."""
        with self._lock:
            current = self._current()
            requests = sum(counts[0] for _, counts in self._seconds)
            repeats = sum(counts[1] for _, counts in self._seconds)
            is_quiet = SHARE * requests < FLOOR and self._in_flight < self._floor
            if repeats + 1 > SHARE * requests and not is_quiet:
                return False
            current[1] += 1
            self._in_flight += 1
            return True

    def release(self) -> None:
        """Record that a repeat has ended."""
        with self._lock:
            self._in_flight -= 1

    def _current(self) -> list[int]:
        now = self._clock()
        while self._seconds and self._seconds[0][0] <= now - WINDOW_S:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1][0] <= now - 1:
            self._seconds.append((now, [0, 0]))
        return self._seconds[-1][1]


class RetryPolicy:
    """Makes the attempts of calls at one upstream."""

    def __init__(
        self,
        *,
        processes: int = 1,
        has_breaker: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Create the policy of an upstream.

        Args:
            processes: how many processes share the budget's floor.
            has_breaker: false switches the circuit breakers off.
            clock: monotonic time in seconds.
            sleep: waits for so many seconds.
            uniform: draws a random number between two others.
        """
        self._has_breaker = has_breaker
        self._clock = clock
        self._budget = RetryBudget(processes, clock)
        self._sleep = sleep
        self._uniform = uniform

    def new_breaker(self) -> CircuitBreaker:
        """Create a closed circuit."""
        return CircuitBreaker(self._clock, self._uniform, is_enabled=self._has_breaker)

    def new_health(self, name: str, default_model: str) -> EndpointHealth:
        """Create the health of the upstream's endpoint `name`, with its configured model."""
        return EndpointHealth(name, default_model, self.new_breaker)

    def run(
        self, call: UpstreamCall, attempt: Callable[[], _T], has_other: Callable[[], bool] = never
    ) -> _T:
        """Make an attempt, and a second one if the first fails and that makes sense.

        Args:
            call: limits attempts and time.
            attempt: makes one attempt; raises faults.Fault or CircuitOpen.
            has_other: whether another endpoint is left for the second attempt.

        Raises:
            faults.Fault: of the last attempt, or of the first if the second could not be made.
        """
        self._budget.record_request()
        try:
            return attempt()
        except CircuitOpen as refusal:
            raise faults.circuit_open(refusal.wait) from refusal
        except faults.Fault as fault:
            pause = self._pause_after(fault, call, has_other)
            if pause is None:
                raise
            if not self._budget.acquire():
                # The client's repeats would be as many as those that were not made here.
                raise fault.with_retries_exhausted() from fault
            first = fault
        try:
            return self._repeat(call, attempt, first, pause)
        finally:
            self._budget.release()

    def _repeat(
        self, call: UpstreamCall, attempt: Callable[[], _T], first: faults.Fault, pause: float
    ) -> _T:
        try:
            call.pause(pause, self._sleep)
            if call.remaining:
                return attempt()
        except CircuitOpen as refusal:
            raise first.with_retries_exhausted() from refusal
        except faults.Fault as fault:
            raise fault.with_retries_exhausted() from fault
        raise first.with_retries_exhausted() from first

    def _pause_after(
        self, fault: faults.Fault, call: UpstreamCall, has_other: Callable[[], bool]
    ) -> float | None:
        """Return the seconds until the next attempt, None if there is to be none."""
        if not call.allows_attempt:
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
        return self._uniform(0, _RATE_LIMIT_PAUSE_S if error.status == 429 else _PAUSE_S)
