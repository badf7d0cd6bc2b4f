"""Leaves a dependency alone for a while after it has failed."""

import threading
import time
from collections.abc import Callable


class Cooldown:
    """After a failure the dependency is left alone for `pause` seconds; then one caller may try it.

    Simpler than the circuit breaker of upstreams, which counts failures in windows and spreads its
    probes at random: here one failure is enough, because there is something else to fall back on.
    """

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Create a cool-down without a failure.

        Args:
            pause: seconds for which a failing dependency is left alone.
            clock: returns seconds that never go back.
        """
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._is_failing = False
        self._open_until = float("-inf")

    def is_open(self) -> bool:
        """Whether the dependency is left alone now."""
        return self._is_failing and self._clock() < self._open_until

    def attempt(self) -> bool:
        """Whether the caller may try the dependency; it then reports `failed` or `succeeded`.

        The pause begins anew with the attempt, not with its end: a dependency that is silent would
        hold up all callers of that time.
        """
        if not self._is_failing:
            return True
        with self._lock:
            if self.is_open():
                return False
            self._open_until = self._clock() + self._pause
            return True

    def failed(self) -> bool:
        """Record a failure; returns whether it is the first since the last success."""
        with self._lock:
            self._open_until = self._clock() + self._pause
            is_first, self._is_failing = not self._is_failing, True
        return is_first

    def succeeded(self) -> bool:
        """Record a success; returns whether it is the first since a failure."""
        if not self._is_failing:
            return False
        with self._lock:
            was_failing, self._is_failing = self._is_failing, False
        return was_failing
