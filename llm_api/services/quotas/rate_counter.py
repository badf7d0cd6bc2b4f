"""Rate limits: exact counts in a shared store, and in memory while the store is away."""

import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypeVar

import limits
from limits.storage import SlidingWindowCounterSupport, Storage

from llm_api.domain.access import LimitState
from llm_api.runtime.cooldown import Cooldown

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_NO_FIXED_WINDOWS = "only sliding windows are kept"
# Its scheme for `limits.storage.storage_from_string`; `memory` is the library's own.
MEMORY_URI = "llm-api-memory://"
_SWEEP_S = 30.0
_PAUSE_S = 10.0  # after a failure the store is left alone for so long


@functools.lru_cache(maxsize=1024)
def parse_limits(text: str) -> tuple[limits.RateLimitItem, ...]:
    """Parse limits such as `60/minute;1000/day`; raises ValueError."""
    return tuple(limits.parse_many(text))


class Windows(Protocol):
    """A store of counts by time: sliding windows, as `MonotonicMemoryStorage` says."""

    def use(
        self, item: limits.RateLimitItem, subject: str, cost: int, *, is_past: bool = False
    ) -> LimitState:
        """Count a use if it is within a limit, and say what is left.

        Args:
            item: the limit.
            subject: whose limit it is.
            cost: units that the use takes; with 0 nothing is counted.
            is_past: whether it has taken them already; then those that are left are counted.
        """


class RateCounter:
    """Counts uses in a store while it answers, and else in this process's memory."""

    def __init__(
        self,
        store: Windows,
        store_errors: type[Exception] | tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count nothing yet.

        Args:
            store: where uses are counted.
            store_errors: what is raised when the store is away; nothing for one that never is.
            clock: returns seconds that never go back.
        """
        self._store = store
        self._fallback = MonotonicMemoryStorage(clock=clock)
        self._store_errors = store_errors
        self._cooldown = Cooldown(_PAUSE_S, clock)

    def hit(
        self, items: Sequence[limits.RateLimitItem], subject: str, *, cost: int = 1
    ) -> LimitState:
        """Count a use against each limit, up to the first that it exceeds.

        Args:
            items: the limits, at least one.
            subject: whose limits they are, such as a key's id or an address.
            cost: units that the use takes, such as tokens.

        Returns:
            The state of the exceeded limit, else of the limit with the least left.
        """
        if not self._store_errors:
            return _hit(self._store, items, subject, cost)
        return self._count(lambda store: _hit(store, items, subject, cost))

    def add(self, items: Sequence[limits.RateLimitItem], subject: str, cost: int) -> None:
        """Count `cost` units that `subject` has used already.

        They are counted up to each limit: more cannot be.
        """
        self._count(lambda store: [store.use(item, subject, cost, is_past=True) for item in items])

    def look(self, item: limits.RateLimitItem, subject: str) -> tuple[LimitState, bool]:
        """Return the state of a limit, and whether all processes count in it; uses nothing."""
        shared = self._store if self._store_errors else None
        return self._count(lambda store: (store.use(item, subject, 0), store is shared))

    def _count(self, count: Callable[[Windows], _T]) -> _T:
        if not self._store_errors:
            return count(self._store)
        if self._cooldown.attempt():
            try:
                counted = count(self._store)
            except self._store_errors as error:
                if self._cooldown.failed():
                    cause = type(error).__name__
                    logger.warning(
                        "limits are counted in memory for a while", extra={"cause": cause}
                    )
            else:
                if self._cooldown.succeeded():
                    logger.info("limits are counted in the store again")
                return counted
        return count(self._fallback)


def _hit(
    store: Windows, items: Sequence[limits.RateLimitItem], subject: str, cost: int
) -> LimitState:
    states = []
    for item in items:
        state = store.use(item, subject, cost)
        if state.is_exceeded:
            return state
        states.append(state)
    return min(states, key=lambda state: state.remaining)


@functools.lru_cache(maxsize=1024)
def facts_of(item: limits.RateLimitItem) -> tuple[str, int, str, str]:
    """Return a limit as text, its seconds, and the two ends of the keys of its counts."""
    begin, end = item.key_for("\0").split("\0")
    return str(item), item.get_expiry(), begin, end


@dataclass(slots=True)
class _Window:
    """The uses of one key: in the window of a number, and in the one before it."""

    number: int
    expiry: int
    current: int = 0
    previous: int = 0

    def move_to(self, number: int) -> None:
        """Become the window of another number."""
        if number != self.number:
            self.previous = self.current if number == self.number + 1 else 0
            self.current = 0
            self.number = number

    def is_expired(self, now: float) -> bool:
        """Whether no count of it matters any more."""
        return now >= (self.number + 2) * self.expiry


class MonotonicMemoryStorage(Storage, SlidingWindowCounterSupport):
    """Sliding-window counters in this process's memory, as `limits` and Cloudflare count them.

    The count at a moment is that of the current window plus that of the window before, weighted by
    the part of it that the last `expiry` seconds still cover
    (https://blog.cloudflare.com/counting-things-a-lot-of-different-things/).

    The library's own MemoryStorage takes the time from the wall clock, so that a clock that was set
    gave every client a fresh budget, or none for an hour; and it removes expired counts in a thread
    10 ms after each use, which took 1.3 ms of CPU with 10,000 callers. Here they are removed every
    30 seconds, while counts are used.
    """

    STORAGE_SCHEME = ["llm-api-memory"]  # noqa: RUF012  # the library's declaration

    def __init__(
        self, _uri: str | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create an empty storage.

        Args:
            _uri: ignored; the library hands over the URI by which it found this class.
            clock: returns seconds that never go back.
        """
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}
        self._sweep_at = clock() + _SWEEP_S

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Return what is raised when the storage is away: never anything."""
        return ()

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count `amount` uses if no more than `limit` are counted then.

        Args:
            key: what is limited.
            limit: uses allowed within `expiry` seconds.
            expiry: seconds of a window; always the same for a key.
            amount: uses to count, all or none.
        """
        with self._lock:
            now = self._clock()
            self._sweep(now)
            window = self._window(key, expiry, now)
            covered = 1 - now / expiry % 1
            if math.floor(window.previous * covered + window.current) + amount > limit:
                return False
            window.current += amount
            return True

    def use(
        self, item: limits.RateLimitItem, subject: str, cost: int, *, is_past: bool = False
    ) -> LimitState:
        """See Windows.

        A strategy of the library asks twice for that, and builds the key each time: 8 µs, and this
        takes 2.
        """
        text, expiry, begin, end = facts_of(item)
        with self._lock:
            now = self._clock()
            self._sweep(now)
            window = self._window(begin + subject + end, expiry, now)
            covered = 1 - now / expiry % 1
            used = math.floor(window.previous * covered + window.current)
            if is_past:
                cost = min(cost, max(0, item.amount - used))
            if is_within := used + cost <= item.amount:
                window.current += cost
                used += cost
            reset_in = covered * expiry if window.current else 0.0
            if window.previous:
                one_less_in = covered * expiry % (expiry / window.previous)
                reset_in = min(reset_in or one_less_in, one_less_in)
        return LimitState(text, item.amount, max(0, item.amount - used), reset_in, not is_within)

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return count and seconds to live of the previous and of the current window."""
        with self._lock:
            now = self._clock()
            window = self._window(key, expiry, now)
            rest = (1 - now / expiry % 1) * expiry
            return (
                window.previous,
                rest if window.previous else 0.0,
                window.current,
                rest + expiry,
            )

    def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002  # the library's signature
        """Forget the uses of a key."""
        with self._lock:
            self._windows.pop(key, None)

    def clear(self, key: str) -> None:
        """Forget the uses of a key."""
        self.clear_sliding_window(key, 0)

    def check(self) -> bool:
        """Whether the storage is healthy: always."""
        return True

    def reset(self) -> int:
        """Forget all uses; returns how many keys had any."""
        with self._lock:
            count = len(self._windows)
            self._windows.clear()
        return count

    def incr(self, key: str, expiry: float, amount: int = 1) -> NoReturn:  # noqa: ARG002  # the library\'s signature
        """Refuse: fixed windows are not kept."""
        raise TypeError(_NO_FIXED_WINDOWS)

    def get(self, key: str) -> NoReturn:  # noqa: ARG002  # the library\'s signature
        """Refuse: fixed windows are not kept."""
        raise TypeError(_NO_FIXED_WINDOWS)

    def get_expiry(self, key: str) -> NoReturn:  # noqa: ARG002  # the library\'s signature
        """Refuse: fixed windows are not kept."""
        raise TypeError(_NO_FIXED_WINDOWS)

    def _window(self, key: str, expiry: int, now: float) -> _Window:
        number = math.floor(now / expiry)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(number, expiry)
        window.move_to(number)
        return window

    def _sweep(self, now: float) -> None:
        """Remove what is expired, now and then."""
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_S
            self._windows = {
                key: window for key, window in self._windows.items() if not window.is_expired(now)
            }
