"""Limits the rate of requests with flask-limiter: one budget a caller over all routes."""

import math

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from llm_api.domain.access import LimitState
from llm_api.services.quotas.exceeded import over_rate
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits
from llm_api.services.quotas.rate_storage import MEMORY_URI
from llm_api.storage.redis import is_shared
from llm_api.storage.redis.connection import limiter_options
from llm_api.web import health
from llm_api.web.request.context import client_address, request_state

_STRATEGY = "sliding-window-counter"
_KIND = "requests"


def init_limiter(app: Flask, *, storage_uri: str, rate_limit: str) -> tuple[Limiter, RateCounter]:
    """Put the limiter in front of every view but the probes; `rate_limit` is for who has no own.

    Where Redis is refused, silent or full, limits are kept in this process's memory until it is
    back.
    """
    limiter = Limiter(
        get_remote_address,
        storage_uri=storage_uri if is_shared(storage_uri) else MEMORY_URI,
        storage_options=limiter_options(storage_uri),  # type: ignore[arg-type]  # they are handed to redis, which takes floats
        strategy=_STRATEGY,
        # Keys of one strategy cannot be read by another: a switch would answer 500 on every call.
        key_prefix=f"llm_api:{_STRATEGY}",
    )
    # flask-limiter adds its own check only to an application that does not know it yet. That check
    # costs 0.2 ms of CPU to find out that one limit applies, and when Redis goes away, all calls
    # but one of those in flight are answered with 500.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    counter = RateCounter(limiter.limiter, limiter.storage.base_exceptions)

    def check() -> None:
        """Count the current request; raises RateLimited."""
        if request.blueprint == health.blueprint.name:
            return
        state = request_state()
        key = state.key
        who, scope = (key.id, "key") if key is not None else (client_address(), "address")
        text = (key.limits.requests if key is not None else None) or rate_limit
        limit = counter.hit(parse_limits(text), who)
        state.limits[_KIND] = limit
        if limit.is_exceeded:
            raise over_rate(limit, f"{scope}.{_KIND}")

    app.before_request(check)
    return limiter, counter


def limit_headers(kind: str, state: LimitState) -> dict[str, str]:
    """Tell of a limit of requests or tokens in OpenAI's names and form."""
    return {
        f"x-ratelimit-limit-{kind}": str(state.limit),
        f"x-ratelimit-remaining-{kind}": str(state.remaining),
        f"x-ratelimit-reset-{kind}": _duration(state.reset_in),
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
