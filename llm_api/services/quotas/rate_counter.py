"""Counts how often something is done, exactly, wherever the counts are kept."""

import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TypeVar

import limits
import limits.storage.memory
from limits.storage import MemoryStorage
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter

from llm_api.domain.access import LimitState

logger = logging.getLogger(__name__)

# The library's memory store only compares times with each other, and takes them from the clock on
# the wall: when that was set, every client had a fresh budget, or none for an hour.
# Far from 0: in the first day of a machine, the window before the first day would be that day.
limits.storage.memory.time = SimpleNamespace(time=lambda: time.monotonic() + 10**9)  # type: ignore[assignment, attr-defined]  # a module's own import
_SWEEP_S = 30.0


class _RareSweep:
    """Removes expired counts, which nobody reads any more, now and then while counts are used.

    The library does so with a timer, 10 ms after each use: that is a thread for nearly every call,
    which looks at the counts of all callers and so took 1.3 ms of CPU with 10,000 of them.
    """

    def __init__(self, _: float, remove: Callable[[], None]) -> None:
        """Take what removes them; the rest is as of `threading.Timer`."""
        self._remove = remove
        self._ends_at = 0.0

    def start(self) -> None:
        """Remove them, and do nothing for a while."""
        self._remove()
        self._ends_at = time.monotonic() + _SWEEP_S

    def is_alive(self) -> bool:
        """Tell whether that while still lasts."""
        return time.monotonic() < self._ends_at


limits.storage.memory.threading = SimpleNamespace(Timer=_RareSweep, RLock=threading.RLock)  # type: ignore[assignment, attr-defined]  # as above

_T = TypeVar("_T")
_PAUSE_S = 10.0  # after a failure the store is left alone for so long


@functools.lru_cache(maxsize=1024)
def parse_limits(text: str) -> tuple[limits.RateLimitItem, ...]:
    """Read limits such as `60/minute;1000/day`; raises ValueError."""
    return tuple(limits.parse_many(text))


class RateCounter:
    """Counts in a store while it answers, and else in this process's memory."""

    def __init__(
        self,
        strategy: RateLimiter,
        store_errors: type[Exception] | tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what counts in the store, and what it raises when the store is away."""
        self._strategy = strategy
        self._fallback = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._store_errors = store_errors
        self._is_away = False
        self._retry_at = float("-inf")
        self._clock = clock

    def take(self, items: Sequence[limits.RateLimitItem], who: str, *, cost: int = 1) -> LimitState:
        """Count a use against each limit, up to one that is exceeded.

        Return the state of that one, or of the one with the least left.
        """
        return self._counted(lambda strategy: _taken(strategy, items, who, cost))

    def add(self, items: Sequence[limits.RateLimitItem], who: str, cost: int) -> None:
        """Count what was used without asking, up to the limit: more cannot be counted."""
        self._counted(lambda strategy: _add(strategy, items, who, cost))

    def _counted(self, count: Callable[[RateLimiter], _T]) -> _T:
        if self._asks_store():
            try:
                counted = count(self._strategy)
            except self._store_errors as error:
                self._note_absence(error)
            else:
                self._note_presence()
                return counted
        return count(self._fallback)

    def _asks_store(self) -> bool:
        """Tell whether to count in the store; while it is away, one call tries now and then."""
        if not self._is_away:
            return True
        now = self._clock()
        if now < self._retry_at:
            return False
        # Before it is asked: a store that says nothing would hold up all calls of this moment.
        self._retry_at = now + _PAUSE_S
        return True

    def _note_absence(self, error: Exception) -> None:
        self._retry_at = self._clock() + _PAUSE_S
        if not self._is_away:
            self._is_away = True
            cause = type(error).__name__
            logger.warning("limits are counted in memory for a while", extra={"cause": cause})

    def _note_presence(self) -> None:
        if self._is_away:
            self._is_away = False
            logger.info("limits are counted in the store again")


def _taken(
    strategy: RateLimiter, items: Sequence[limits.RateLimitItem], who: str, cost: int
) -> LimitState:
    states = []
    for item in items:
        is_within = strategy.hit(item, who, cost=cost)
        reset_at, remaining = strategy.get_window_stats(item, who)
        reset_in = max(0.0, reset_at - time.time())
        state = LimitState(str(item), item.amount, max(0, remaining), reset_in, not is_within)
        if not is_within:
            return state
        states.append(state)
    return min(states, key=lambda state: state.remaining)


def _add(strategy: RateLimiter, items: Sequence[limits.RateLimitItem], who: str, cost: int) -> None:
    for item in items:
        # More than is left would be refused as a whole.
        if part := min(cost, strategy.get_window_stats(item, who).remaining):
            strategy.hit(item, who, cost=part)
