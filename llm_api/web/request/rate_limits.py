"""Limits the rate of requests with flask-limiter: one budget a caller over all routes."""

from flask import Flask, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from llm_api.services.quotas.exceeded import over_rate
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits
from llm_api.web import health
from llm_api.web.request.context import RequestState, client_address

_STRATEGY = "sliding-window-counter"
# A Redis that accepts and says nothing would hold every request for ever.
_REDIS_TIMEOUT = 0.2
_KIND = "requests"


def init_limiter(app: Flask, *, storage_uri: str, rate_limit: str) -> tuple[Limiter, RateCounter]:
    """Put the limiter in front of every view but the probes; `rate_limit` is for who has no own.

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
    counter = RateCounter(limiter.limiter, limiter.storage.base_exceptions)

    def check() -> None:
        """Count the current request; raises RateLimited."""
        if request.blueprint == health.blueprint.name:
            return
        state: RequestState = g.request_state
        key = state.key
        who, scope = (key.id, "key") if key is not None else (client_address(), "address")
        text = (key.limits.requests if key is not None else None) or rate_limit
        limit = counter.take(parse_limits(text), who)
        state.limits[_KIND] = limit
        if limit.is_exceeded:
            raise over_rate(limit, f"{scope}.{_KIND}")

    app.before_request(check)
    return limiter, counter
