"""Limits the rate of requests: one budget per caller over all routes."""

from functools import cache
from typing import Any

from flask import Flask, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits.storage import Storage

from llm_api.domain.access import KeyGroup, LimitState
from llm_api.services.quotas.exceeded import over_rate
from llm_api.services.quotas.rate_counter import (
    MEMORY_URI,
    MonotonicMemoryStorage,
    RateCounter,
    parse_limits,
)
from llm_api.services.quotas.shared_windows import SHARED_URI, SharedWindows
from llm_api.storage.redis import is_shared
from llm_api.web.blueprints import rules_of
from llm_api.web.request.context import RequestState, client_address

_STRATEGY = "sliding-window-counter"
_KIND = "requests"


def close_limiter(limiter: Limiter) -> None:
    """Close the connections to the store of the counts: nothing else closes redis-py's client."""
    client: Any = getattr(limiter.storage, "storage", None)
    if hasattr(client, "close"):
        client.close()


def _limiter_at(storage_uri: str) -> Limiter:
    """Make a limiter that counts at an address."""
    shared: dict[str, Any] = {"url": storage_uri} if is_shared(storage_uri) else {}
    limiter = Limiter(
        get_remote_address,
        storage_uri=SHARED_URI if shared else MEMORY_URI,
        storage_options=shared,
        strategy=_STRATEGY,
    )
    # It builds store and strategy for an application that serves nothing. On `app` it would add a
    # check of its own (flask-limiter 4.1 has no option against it), which takes 45 µs of CPU to
    # find out that one limit applies, 25 µs with a `request_filter` for all; and when Redis goes
    # away, all calls in flight but one are answered with 500.
    limiter.init_app(Flask(__name__))
    return limiter


def _counter_in(storage: Storage) -> RateCounter:
    """Return a counter in a store of the limiter."""
    if isinstance(storage, MonotonicMemoryStorage):
        return RateCounter(storage, storage.base_exceptions)
    shared: Any = storage  # its client is no part of the library's interface
    return RateCounter(SharedWindows(shared.storage), storage.base_exceptions)


def _count_for(group: KeyGroup, counter: RateCounter, told: dict[str, LimitState]) -> None:
    """Count a request for the group of its key; raises RateLimited.

    `told` gets the limit of the group where it is closer than the one that is there.
    """
    if group.limits.requests is None:
        return
    shared = counter.hit(parse_limits(group.limits.requests), group.id)
    if shared.is_exceeded or shared.remaining < told[_KIND].remaining:
        told[_KIND] = shared
    if shared.is_exceeded:
        raise over_rate(shared, f"group.{_KIND}")


def init_limiter(app: Flask, *, storage_uri: str, rate_limit: str) -> tuple[Limiter, RateCounter]:
    """Check the rate limit before every view whose blueprint is rate limited.

    While Redis refuses connections, is silent or is full, counts are kept in this process's memory.

    Args:
        app: the application.
        storage_uri: where counts are kept, as of `limits`: `memory://`, or of Redis.
        rate_limit: limits of callers whose key has none, such as `60/minute;1000/day`.
    """
    limiter = _limiter_at(storage_uri)
    counter = _counter_in(limiter.storage)
    is_limited = cache(lambda blueprint: rules_of(app, blueprint).is_rate_limited)

    def check() -> None:
        """Count the current request; raises RateLimited."""
        if not is_limited(request.blueprint):
            return
        state: RequestState = g.request_state
        key = state.key
        who, scope = (key.id, "key") if key is not None else (client_address(), "address")
        text = (key.limits.requests if key is not None else None) or rate_limit
        state.limits[_KIND] = limit = counter.hit(parse_limits(text), who)
        if limit.is_exceeded:
            raise over_rate(limit, f"{scope}.{_KIND}")
        if key is not None and key.group is not None:
            _count_for(key.group, counter, state.limits)

    app.before_request(check)
    return limiter, counter
