"""Closes the circuits of a model on this machine when its process is back.

A process that has ended is started again within a second or two; a circuit that its absence has
opened would stay open for half a minute.
"""

import threading
import time
from collections.abc import Callable

from llm_api.upstream.resilience.endpoint_health import EndpointHealth

# A process that is there and cuts calls off all the same is taken for a new one so seldom.
STEADY_S = 60.0


class ChildRevival:
    """Asks a process of this machine whether it is back, when its circuit refuses a call."""

    def __init__(
        self,
        is_back: Callable[[], bool],
        health: EndpointHealth,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet.

        Args:
            is_back: asks the process; true where it answers, and has loaded what it needs.
            health: of the endpoint that it is.
            clock: monotonic time in seconds.
        """
        self._is_back = is_back
        self._health = health
        self._clock = clock
        self._asking = threading.Lock()
        self._revived_at = float("-inf")

    def revive(self) -> bool:
        """Return whether the process was away and is back; then its circuits are closed.

        While one call asks, which takes a millisecond or so, the others are refused without asking.
        """
        is_new = self._health.was_cut and self._clock() - self._revived_at > STEADY_S
        may_be_back = self._health.was_away or is_new
        if not may_be_back or not self._asking.acquire(blocking=False):
            return False
        try:
            if not self._is_back():
                return False
            self._health.begin_anew()
            self._revived_at = self._clock()
            return True
        finally:
            self._asking.release()
