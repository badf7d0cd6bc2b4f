"""A budget for repeats: without one, repeats multiply the load of an upstream that is overloaded.

At most a fifth of the requests of the last 10 s are repeated. Where there is little traffic a fifth
of it is none, so that a few at once are allowed there.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

SHARE = 0.2
WINDOW_S = 10.0
FLOOR = 3  # repeats in flight, over all processes


class RetryBudget:
    """Counts the requests and repeats of one upstream in this process."""

    def __init__(self, processes: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        """Share the floor with so many processes. `clock` is monotonic, in seconds."""
        self._floor = max(1, FLOOR // processes)
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[tuple[float, list[int]]] = deque()  # when, [requests, repeats]
        self._in_flight = 0

    def note_request(self) -> None:
        """Count a request, when its first attempt begins."""
        with self._lock:
            self._current()[0] += 1

    def take(self) -> bool:
        """Ask for a repeat, to be given back when it has ended; False where none is left."""
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

    def give_back(self) -> None:
        """Note that a repeat has ended."""
        with self._lock:
            self._in_flight -= 1

    def _current(self) -> list[int]:
        now = self._clock()
        while self._seconds and self._seconds[0][0] <= now - WINDOW_S:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1][0] <= now - 1:
            self._seconds.append((now, [0, 0]))
        return self._seconds[-1][1]
