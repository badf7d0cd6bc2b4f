"""A Redis Cluster as a client with the commands of one server, for what is kept in it here.

Where redis-py's own client of a cluster would hold a call, this one does not:

* it asks the nodes for their slots when it is made, and this one with its first command;
* after a failure it asks every node again, one after the other, in each call that has failed. Here
  one thread does, beside the calls;
* its pipelines repeat every command of a node that is away. Here commands go one by one, up to the
  first that fails;
* it loads a script into all primaries. Here the node of the keys gets it, when it lacks it.

A script's keys must be in one slot: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ClusterDownError, NoScriptError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from llm_api.domain.redis_addresses import RedisNodes
from llm_api.storage.redis.connection import failures

# A cluster whose slots are not given to nodes yet is to redis-py an IndexError.
_FAILURES: tuple[type[Exception], ...] = (*failures(), OSError, IndexError)

# To connect are several questions, with an answer of 400 KB to one of them.
_STEPS = 5


class ClusterClient:
    """Sends each command to the node of its key; raises `failures()`."""

    def __init__(self, nodes: RedisNodes, timeout: float, options: dict[str, Any]) -> None:
        """Connect to nothing yet.

        Args:
            nodes: some nodes of the cluster, which name the others.
            timeout: seconds for an answer; a command waits five times as long for the first nodes.
            options: of connections, as redis-py names them.
        """
        self._make = partial(_cluster, nodes, options)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._connecting: _Connecting | None = None

    def __getattr__(self, name: str) -> Any:
        """Return a command of one key, such as `get`, of the cluster."""
        return getattr(self._connected(), name)

    def mget(self, names: Sequence[str]) -> list[Any]:
        """Return values that may be in several slots."""
        return [self.get(name) for name in names]

    def delete(self, *names: str) -> int:
        """Delete keys that may be in several slots; returns how many there were."""
        return sum(int(self.execute_command("DEL", name)) for name in names)

    def exists(self, name: str) -> int:
        """Return 1 where there is a key."""
        return int(self.execute_command("EXISTS", name))

    def ping(self) -> bool:
        """Ask all primaries."""
        return bool(self._connected().ping(target_nodes=RedisCluster.PRIMARIES))

    def pipeline(self, *, transaction: bool = True) -> "_Steps":  # noqa: ARG002  # one by one in any case
        """Collect commands, which are sent one by one."""
        return _Steps(self)

    def register_script(self, text: str) -> Callable[[Sequence[str], Sequence[Any]], Any]:
        """Return a function that runs a script for its keys and arguments."""
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

        def run(keys: Sequence[str], arguments: Sequence[Any]) -> Any:
            try:
                return self.evalsha(digest, len(keys), *keys, *arguments)
            except NoScriptError:  # also on a primary that was a replica
                return self.eval(text, len(keys), *keys, *arguments)

        return run

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            connecting, self._connecting = self._connecting, None
        if connecting is not None and connecting.cluster is not None:
            connecting.cluster.disconnect_connection_pools()  # type: ignore[no-untyped-call]  # it has no types
            connecting.cluster.close()

    def _connected(self) -> RedisCluster:
        with self._lock:
            connecting = self._connecting
            if connecting is None or connecting.has_failed:
                connecting = self._connecting = _Connecting(self._make)
        return connecting.cluster or connecting.wait(self._timeout * _STEPS)


class _Connecting:
    """Asks for the nodes of a cluster in a thread: of silent ones each takes its time."""

    def __init__(self, make: Callable[[], RedisCluster]) -> None:
        self.cluster: RedisCluster | None = None
        self._error: Exception | None = None
        self._is_over = threading.Event()
        threading.Thread(target=self._run, args=(make,), name="redis-nodes", daemon=True).start()

    @property
    def has_failed(self) -> bool:
        return self._error is not None

    def wait(self, timeout: float) -> RedisCluster:
        """Wait for the cluster; raises `failures()` where there is none, or none yet."""
        self._is_over.wait(timeout)
        if isinstance(self._error, IndexError):
            raise ClusterDownError("no slot has a node") from self._error
        if self._error is not None and not isinstance(self._error.__cause__, RedisTimeoutError):
            raise RedisConnectionError(str(self._error)) from self._error
        if self.cluster is None:
            raise RedisTimeoutError from self._error
        return self.cluster

    def _run(self, make: Callable[[], RedisCluster]) -> None:
        try:
            self.cluster = make()
        except _FAILURES as error:  # it is raised where it is waited for
            self._error = error
        finally:
            self._is_over.set()


class _Steps:
    """Commands one after the other, up to the first that fails."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._steps: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., "_Steps"]:
        def add(*args: Any, **options: Any) -> "_Steps":
            self._steps.append((name, args, options))
            return self

        return add

    def execute(self) -> list[Any]:
        """Send them, and return their answers."""
        return [getattr(self._client, name)(*args, **more) for name, args, more in self._steps]


class _Refresh:
    """Asks for the nodes anew in a thread, unless one does already."""

    def __init__(
        self, ask: Callable[..., None], known: Callable[[], list[tuple[str, int]]]
    ) -> None:
        self._ask = ask
        self._known = known
        self._is_asking = threading.Lock()

    def __call__(self, *_: object, **__: object) -> None:
        if self._is_asking.acquire(blocking=False):
            threading.Thread(target=self._run, name="redis-nodes", daemon=True).start()

    def _run(self) -> None:
        try:
            # Nodes that were named may be gone, and those that are known may have new addresses.
            with suppress(*_FAILURES):
                self._ask(additional_startup_nodes_info=self._known())
        finally:
            self._is_asking.release()


def _cluster(nodes: RedisNodes, options: dict[str, Any]) -> RedisCluster:
    """Make redis-py's client, which connects; raises `failures()`."""
    cluster = RedisCluster(
        startup_nodes=[ClusterNode(*host) for host in nodes.hosts],  # type: ignore[no-untyped-call]  # it has no types
        # The names stay what is asked: in Kubernetes a node that was restarted has a new address.
        dynamic_startup_nodes=False,
        # What the other nodes have can be used.
        require_full_coverage=False,
        # A slot that has moved is noted by itself; a failure is for `RedisConnection`.
        reinitialize_steps=0,
        retry=Retry(NoBackoff(), 0),
        **options,
    )
    manager = cluster.nodes_manager

    def known() -> list[tuple[str, int]]:
        return [(node.host, node.port) for node in manager.nodes_cache.values()]

    manager.initialize = _Refresh(manager.initialize, known)  # type: ignore[method-assign]  # it has no option for it
    return cluster
