"""Connections to Redis and Valkey: the only place that makes clients, and that knows their URLs.

redis-py is imported with the first client, which is made while the application is: 4 MiB of memory
and 35 ms of its start for installations that have no Redis.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from llm_api.domain.redis_addresses import parse_nodes
from llm_api.runtime.cooldown import Cooldown

# A Redis that accepts connections and says nothing would hold every request for ever.
TIMEOUT_S = 0.2
_PAUSE_S = 10.0
# What the rate limiter's library (limits) calls them, and what redis-py does.
_SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis+unix": "unix"}
_T = TypeVar("_T")
logger = logging.getLogger(__name__)


def make_client(url: str, *, timeout: float | None = None, retries: int | None = None) -> Any:
    """Make a client that connects with its first command, and raises `failures()`.

    Args:
        url: redis://, rediss://, redis+unix://, valkey:// or valkeys://, or an address of several
            servers; see `llm_api.domain.redis_addresses`.
        timeout: seconds for connecting, and for each answer; None is TIMEOUT_S.
        retries: how often a command is repeated on a new connection to one server; None is
            redis-py's default.

    Raises:
        ValueError: the URL has another scheme, or another form.
    """
    # Not at the top: see there.
    from redis import Redis  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    seconds = TIMEOUT_S if timeout is None else timeout
    if (nodes := parse_nodes(url)) is not None:
        from llm_api.storage.redis import many_nodes  # noqa: PLC0415  # only for those who have them

        return many_nodes.make_client(nodes, seconds)
    scheme, _, rest = url.partition("://")
    options: dict[str, Any] = {} if retries is None else {"retry": Retry(NoBackoff(), retries)}
    return Redis.from_url(
        f"{_SCHEMES.get(scheme, scheme)}://{rest}",
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        **options,
    )


def failures() -> tuple[type[Exception], ...]:
    """Return what clients raise while Redis is away."""
    from redis import RedisError  # noqa: PLC0415  # as in make_client
    from redis.exceptions import RedisClusterException  # noqa: PLC0415

    return RedisError, RedisClusterException


class RedisConnection:
    """A client whose failures are not raised: while Redis is away, callers do without it.

    After a failure Redis is left alone for 10 seconds.
    """

    def __init__(
        self, url: str, outage_message: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: as for `make_client`.
            outage_message: the warning that is logged when Redis goes away.
            clock: returns seconds that never go back.
        """
        self.client = make_client(url)
        self._failures = failures()
        self._outage_message = outage_message
        self._cooldown = Cooldown(_PAUSE_S, clock)

    @property
    def is_away(self) -> bool:
        """Whether Redis has failed and is left alone for now."""
        return self._cooldown.is_open()

    def call(self, command: Callable[[], _T], *, otherwise: _T) -> _T:
        """Call Redis and return its answer, or `otherwise` where it is away or fails."""
        if not self._cooldown.attempt():
            return otherwise
        try:
            answer = command()
        except self._failures as error:
            if self._cooldown.failed():
                logger.warning(self._outage_message, extra={"cause": type(error).__name__})
            return otherwise
        self._cooldown.succeeded()
        return answer

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
