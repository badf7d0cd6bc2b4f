"""The way to a Redis that may be away: asked within bounds, and left alone for a while after."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis

_TIMEOUT_S = 0.2
_PAUSE_S = 10.0  # after a failure Redis is left alone for so long
_SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis+unix": "unix"}
_T = TypeVar("_T")
logger = logging.getLogger(__name__)


class RedisConnection:
    """A connection pool of its own; nothing here raises for Redis."""

    def __init__(
        self, url: str, complaint: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect to nothing yet; `complaint` is the log's line for when Redis is away."""
        scheme, rest = url.split("://", 1)
        self.client: Any = redis.Redis.from_url(  # its types mix the answers of its async twin in
            f"{_SCHEMES.get(scheme, scheme)}://{rest}",
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
        )
        self._complaint = complaint
        self._clock = clock
        self._has_failed = False
        self._retry_at = float("-inf")

    @property
    def is_away(self) -> bool:
        """Whether Redis has failed and is left alone for now."""
        return self._has_failed and self._clock() < self._retry_at

    def tried(self, ask: Callable[[], _T], *, otherwise: _T) -> _T:
        """Ask Redis; return the other value while it is away."""
        if self.is_away:
            return otherwise
        if self._has_failed:
            # Now, and not afterwards: a silent Redis would hold up all who ask at this moment.
            self._retry_at = self._clock() + _PAUSE_S
        try:
            answer = ask()
        except redis.RedisError as error:
            self._note_failure(error)
            return otherwise
        self._has_failed = False
        return answer

    def _note_failure(self, error: redis.RedisError) -> None:
        self._retry_at = self._clock() + _PAUSE_S
        if not self._has_failed:
            self._has_failed = True
            logger.warning(self._complaint, extra={"cause": type(error).__name__})

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
