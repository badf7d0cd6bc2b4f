"""Limits how often an address may present unknown API keys."""

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
    """Allows each address 30 guesses at once and one more every two seconds, in each process.

    In memory: 256 random bits cannot be guessed however often one tries, so what is limited is the
    work that guesses cause.

    This is GCRA (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm) and not a counter of
    `limits`: `30/minute` there refuses an address for up to a minute after its last guess, with no
    exact time to retry after, and counts of made-up addresses would not be bounded.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Create a limit without guesses; `clock` returns seconds that never go back."""
        self._clock = clock
        self._lock = threading.Lock()
        # When each address has all 30 guesses again: a guess moves it on by the interval.
        self._restored_at: LRUCache[str, float] = LRUCache(_MAX_ADDRESSES)

    def record(self, address: str) -> None:
        """Count a wrong guess."""
        with self._lock:
            now = self._clock()
            begin = max(self._restored_at.get(address, now), now)
            self._restored_at[address] = begin + _INTERVAL_S

    def check(self, address: str) -> None:
        """Raise RateLimited where an address has no guess left."""
        with self._lock:
            now = self._clock()
            wait = self._restored_at.get(address, now) - now - (_BURST - 1) * _INTERVAL_S
        if wait > 0:
            raise too_many_guesses(wait)


def too_many_guesses(wait: float) -> RateLimited:
    """Return the error of an address that has no guess left for `wait` more seconds."""
    return RateLimited(
        "This address has presented too many keys that are not valid; try again later.",
        reason="too_many_invalid_keys",
        retry_after=math.ceil(wait),
    )
