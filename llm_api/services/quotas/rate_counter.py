"""Rate limits: exact counts in a shared store, and in memory while the store is away."""

import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import limits
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter

from llm_api.domain.access import LimitState
from llm_api.runtime.cooldown import Cooldown
from llm_api.services.quotas.rate_storage import MonotonicMemoryStorage

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_PAUSE_S = 10.0  # after a failure the store is left alone for so long


@functools.lru_cache(maxsize=1024)
def parse_limits(text: str) -> tuple[limits.RateLimitItem, ...]:
    """Parse limits such as `60/minute;1000/day`; raises ValueError."""
    return tuple(limits.parse_many(text))


class RateCounter:
    """Counts uses in a store while it answers, and else in this process's memory."""

    def __init__(
        self,
        strategy: RateLimiter,
        store_errors: type[Exception] | tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count nothing yet.

        Args:
            strategy: counts in the store.
            store_errors: what the strategy raises when the store is away.
            clock: returns seconds that never go back.
        """
        self._strategy = strategy
        self._fallback = SlidingWindowCounterRateLimiter(MonotonicMemoryStorage(clock=clock))
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
        return self._count(lambda strategy: _hit(strategy, items, subject, cost))

    def add(self, items: Sequence[limits.RateLimitItem], subject: str, cost: int) -> None:
        """Count units that were used already, up to the limit: more cannot be counted."""
        self._count(lambda strategy: _add(strategy, items, subject, cost))

    def _count(self, count: Callable[[RateLimiter], _T]) -> _T:
        if self._cooldown.attempt():
            try:
                counted = count(self._strategy)
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
    strategy: RateLimiter, items: Sequence[limits.RateLimitItem], subject: str, cost: int
) -> LimitState:
    states = []
    for item in items:
        is_within = strategy.hit(item, subject, cost=cost)
        reset_at, remaining = strategy.get_window_stats(item, subject)
        reset_in = max(0.0, reset_at - time.time())
        state = LimitState(str(item), item.amount, max(0, remaining), reset_in, not is_within)
        if not is_within:
            return state
        states.append(state)
    return min(states, key=lambda state: state.remaining)


def _add(
    strategy: RateLimiter, items: Sequence[limits.RateLimitItem], subject: str, cost: int
) -> None:
    for item in items:
        # More than is left would be refused as a whole.
        if part := min(cost, strategy.get_window_stats(item, subject).remaining):
            strategy.hit(item, subject, cost=part)
