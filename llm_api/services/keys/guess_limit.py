"""Bounds how often an address may present keys that nobody knows."""

import math
import threading
import time
from collections.abc import Callable

from cachetools import LRUCache

from llm_api.errors import RateLimited

_BURST = 30
_INTERVAL_S = 2.0
_MAX_ADDRESSES = 10_000


class GuessLimit:
    """Lets an address guess 30 times at once, and every two seconds once more; in each process.

    In memory: 256 random bits cannot be guessed however often one tries, so that what is bounded is
    the work that guesses make.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the clock."""
        self._clock = clock
        self._lock = threading.Lock()
        # When each address may guess 30 times again: a guess moves it on by its interval.
        self._restored_at: LRUCache[str, float] = LRUCache(_MAX_ADDRESSES)

    def count(self, address: str) -> None:
        """Count a wrong guess."""
        with self._lock:
            now = self._clock()
            begin = max(self._restored_at.get(address, now), now)
            self._restored_at[address] = begin + _INTERVAL_S

    def check(self, address: str) -> None:
        """Raise RateLimited where an address has guessed too often to guess again."""
        with self._lock:
            now = self._clock()
            wait = self._restored_at.get(address, now) - now - (_BURST - 1) * _INTERVAL_S
        if wait > 0:
            raise RateLimited(
                "This address has presented too many keys that are not valid; try again later.",
                reason="too_many_invalid_keys",
                retry_after=math.ceil(wait),
            )
