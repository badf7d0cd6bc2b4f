"""Limits the rate of requests with flask-limiter: one budget a client over all routes."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import limits
import limits.storage.memory
from flask import Flask, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits.storage import MemoryStorage
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter

from llm_api.errors import RateLimited
from llm_api.web import ops

logger = logging.getLogger(__name__)

# The library's memory store only compares times with each other, and takes them from the clock on
# the wall: when that was set, every client had a fresh budget, or none for an hour.
limits.storage.memory.time = SimpleNamespace(time=time.monotonic)  # type: ignore[assignment, attr-defined]  # a module's own import

_STRATEGY = "sliding-window-counter"
# A Redis that accepts and says nothing would hold every request for ever.
_REDIS_TIMEOUT = 0.2
_REDIS_PAUSE = 10.0  # after a failure it is left alone for so long
_MAX_RETRY_AFTER = 60  # SDKs ignore a longer one and then hammer


def init_limiter(app: Flask, *, storage_uri: str, rate_limit: str) -> Limiter:
    """Put the limiter in front of every view but the probes.

    Where Redis is refused, silent or full, limits are kept in this process's memory until it is
    back.
    """
    is_memory = storage_uri.startswith("memory")
    timeouts = {"socket_timeout": _REDIS_TIMEOUT, "socket_connect_timeout": _REDIS_TIMEOUT}
    limiter = Limiter(
        get_remote_address,
        storage_uri=storage_uri,
        storage_options={} if is_memory else timeouts,  # type: ignore[arg-type]  # they are handed to redis, which takes floats
        strategy=_STRATEGY,
        # Keys of one strategy cannot be read by another: a switch would answer 500 on every call.
        key_prefix=f"llm_api:{_STRATEGY}",
    )
    # flask-limiter adds its own check only to an application that does not know it yet. That check
    # costs 0.2 ms of CPU to find out that one limit applies, and when Redis goes away, all calls
    # but one of those in flight are answered with 500.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    app.before_request(_Gate(limiter, rate_limit).check)
    return limiter


class _Gate:
    """Counts each request, in the store while it answers and else in memory."""

    def __init__(
        self, limiter: Limiter, rate_limit: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limiter = limiter
        self._items = limits.parse_many(rate_limit)
        self._fallback = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._store_errors = limiter.storage.base_exceptions
        self._retry_at = float("-inf")
        self._clock = clock

    def check(self) -> None:
        """Count the current request; raises RateLimited."""
        if request.blueprint == ops.blueprint.name:
            return
        client = get_remote_address()
        if self._clock() >= self._retry_at:
            try:
                self._count(self._limiter.limiter, client)
            except self._store_errors as error:
                self._retry_at = self._clock() + _REDIS_PAUSE
                cause = type(error).__name__
                logger.warning("limits are counted in memory for a while", extra={"cause": cause})
            else:
                return
        self._count(self._fallback, client)

    def _count(self, strategy: RateLimiter, client: str) -> None:
        states = []
        for item in self._items:
            is_within = strategy.hit(item, client)
            state = _LimitState(item, *strategy.get_window_stats(item, client))
            if not is_within:
                g.headers.update(state.headers())
                raise _refusal(item, state.reset_at)
            states.append(state)
        g.headers.update(min(states, key=lambda state: state.remaining).headers())


@dataclass(frozen=True, slots=True)
class _LimitState:
    """How far a client is from a limit."""

    item: limits.RateLimitItem
    reset_at: float
    remaining: int

    def headers(self) -> dict[str, str]:
        """Say so in OpenAI's names and form."""
        return {
            "x-ratelimit-limit-requests": str(self.item.amount),
            "x-ratelimit-remaining-requests": str(max(0, self.remaining)),
            "x-ratelimit-reset-requests": _duration(self.reset_at - time.time()),
        }


def _duration(seconds: float) -> str:
    """Write a time as OpenAI does: `12ms`, `1s`, `6m0s`, `1h0m0s`."""
    if seconds < 1:
        return f"{max(0, math.ceil(seconds * 1000))}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _refusal(limit: limits.RateLimitItem, reset_at: float) -> RateLimited:
    wait = math.ceil(reset_at - time.time())
    error = RateLimited(
        f"The limit is {limit}; try again later.",
        reason="rate_limited",
        retry_after=min(max(wait, 1), _MAX_RETRY_AFTER),
    )
    error.is_spent = wait > _MAX_RETRY_AFTER  # an SDK's own repeats would come too early
    return error
