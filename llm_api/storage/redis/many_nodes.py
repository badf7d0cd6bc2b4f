"""Clients of a Redis or Valkey that is more than one server."""

from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from llm_api.domain.redis_addresses import CLUSTER, RedisNodes
from llm_api.storage.redis.cluster import ClusterClient


class _Primary(Redis):
    """A client of the primary that sentinels know; each new connection asks them which it is."""

    def ask_sentinels(self) -> None:
        """Return if all sentinels answer; the failure of one is raised as it is."""
        for sentinel in self._sentinels:
            sentinel.sentinel_masters()

    def close(self) -> None:
        """Close the connections, also those to the sentinels."""
        super().close()
        for sentinel in self._sentinels:
            sentinel.close()

    @property
    def _sentinels(self) -> list[Any]:
        pool = cast("SentinelConnectionPool", self.connection_pool)
        return list(pool.sentinel_manager.sentinels)


def make_client(nodes: RedisNodes, timeout: float) -> Any:
    """Make a client that connects with its first command.

    Args:
        nodes: the servers.
        timeout: seconds for connecting, and for each answer.
    """
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    if nodes.is_tls:
        options |= {"ssl": True, "ssl_ca_certs": nodes.ca_certs}
    own = {**options, "username": nodes.username, "password": nodes.password}
    if nodes.kind == CLUSTER:
        return ClusterClient(nodes, timeout, own)
    asking = {
        **options,
        "username": nodes.sentinel_username,
        "password": nodes.sentinel_password,
        # By default redis-py repeats a question three times, after pauses of seconds.
        "retry": Retry(NoBackoff(), 0),
    }
    known: Any = Sentinel  # which has no types
    sentinels = known(nodes.hosts, sentinel_kwargs=asking, db=nodes.database, **own)
    return sentinels.master_for(nodes.service, redis_class=_Primary)
