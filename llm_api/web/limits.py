"""Limits the rate of requests with flask-limiter: one budget a client over all routes."""

import math
import time
from collections.abc import Callable
from typing import NoReturn

from flask import Flask
from flask_limiter import Limiter, RateLimitExceeded
from flask_limiter.util import get_remote_address

from llm_api.errors import RateLimited

_STRATEGY = "sliding-window-counter"
# A Redis that accepts and says nothing would hold every request for ever.
_REDIS_TIMEOUT = 0.2
_MAX_RETRY_AFTER = 60  # SDKs ignore a longer one and then hammer


def init_limiter(app: Flask, *, storage_uri: str, rate_limit: str) -> Limiter:
    """Put the limiter in front of every view; views and blueprints are exempted by the caller.

    Where Redis is refused, silent or full, limits are kept in this process's memory until it is back.
    """
    is_memory = storage_uri.startswith("memory")
    timeouts = {"socket_timeout": _REDIS_TIMEOUT, "socket_connect_timeout": _REDIS_TIMEOUT}
    limiter = Limiter(
        get_remote_address,
        application_limits=[rate_limit],
        storage_uri=storage_uri,
        storage_options={} if is_memory else timeouts,
        strategy=_STRATEGY,
        # Keys of one strategy cannot be read by another: a switch would answer 500 on every call.
        key_prefix=f"llm_api:{_STRATEGY}",
        in_memory_fallback_enabled=not is_memory,
    )
    limiter.init_app(app)
    app.register_error_handler(RateLimitExceeded, _refusing(limiter))
    return limiter


def _refusing(limiter: Limiter) -> Callable[[RateLimitExceeded], NoReturn]:
    def refuse(error: RateLimitExceeded) -> NoReturn:
        broken = limiter.current_limit
        wait = broken.reset_at - time.time() if broken else 1
        raise RateLimited(
            f"The limit is {error.description}; try again later.",
            reason="rate_limited",
            retry_after=min(max(math.ceil(wait), 1), _MAX_RETRY_AFTER),
        ) from error

    return refuse
