"""A cluster of Valkey, and a Valkey that sentinels watch, each of real processes."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.crc import key_slot

from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import ValkeyServer
from tests.support.waiting import wait_until

SERVICE = "counts"
_SLOTS = 16_384
_PATIENCE = 30.0
# After so long a node counts as away; a replica takes its place a moment later.
_AWAY_MS = "500"
# How often sentinels look at servers, and tell each other what they saw: by default every second or
# two, and every ten seconds for the replicas.
_QUICK = ("info-period", 100, "publish-period", 100, "ask-period", 100, "ping-period", 100)


class _Node(ValkeyServer):
    """A node of a cluster."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.bus_port = free_port()  # by default 10,000 higher, which may be none

    def _command(self) -> list[str | Path]:
        cluster = {
            "enabled": "yes",
            "config-file": f"nodes-{self.port}.conf",
            "port": str(self.bus_port),
            "node-timeout": _AWAY_MS,
            "replica-validity-factor": "0",
        }
        options = [part for name, text in cluster.items() for part in (f"--cluster-{name}", text)]
        return [*super()._command(), *options, "--repl-diskless-sync-delay", "0"]


class _Sentinel(ValkeyServer):
    """A sentinel, which writes what it learns into its own settings."""

    def __init__(self, directory: Path, primary: ValkeyServer) -> None:
        super().__init__(directory)
        self._settings = directory / f"sentinel-{self.port}.conf"
        self._settings.write_text(
            f"port {self.port}\nbind {LOOPBACK}\n"
            f"sentinel monitor {SERVICE} {LOOPBACK} {primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {_AWAY_MS}\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )

    def _command(self) -> list[str | Path]:
        return [super()._command()[0], self._settings, "--sentinel"]


class _Group:
    """Servers that start and stop together."""

    primary: ValkeyServer
    replica: ValkeyServer

    def __init__(self, servers: Sequence[ValkeyServer]) -> None:
        self.servers = servers
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start all, and wait until they know each other."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop all."""
        self._stack.close()

    def freeze(self) -> None:
        """Accept connections and say nothing, until thaw()."""
        for server in self.servers:
            server.freeze()

    def thaw(self) -> None:
        """Answer again."""
        for server in self.servers:
            server.thaw()

    def is_copied(self) -> bool:
        """Whether the replica has all that the primary has."""
        at = [_said(one, "INFO", "replication") for one in (self.primary, self.replica)]
        return bool(at[0]["master_repl_offset"] == at[1]["slave_repl_offset"])

    def has_failed_over(self) -> bool:
        """Whether the replica has taken the place of its primary."""
        try:
            return bool(_said(self.replica, "INFO", "replication")["role"] == "master")
        except redis.ConnectionError:  # sentinels cut all clients of what they promote
            return False

    def open_connections(self) -> int:
        """Count the connections of redis-py to all servers."""
        lists = [_said(server, "CLIENT", "LIST").splitlines() for server in self.servers]
        return sum(b" lib-name=redis-py " in line for one in lists for line in one) - len(lists)

    def _run(self, servers: Sequence[ValkeyServer]) -> None:
        for server in servers:
            self._stack.enter_context(server)

    def _start(self) -> None:
        raise NotImplementedError


class ValkeyCluster(_Group):
    """Three primaries, and a replica of the first, `primary`."""

    def __init__(self, directory: Path) -> None:
        """Prepare without starting; logs go to the directory."""
        self.primaries = [_Node(directory) for _ in range(3)]
        self._copy = _Node(directory)
        self.primary, self.replica = self.primaries[0], self._copy
        super().__init__(self.nodes)

    @property
    def nodes(self) -> Sequence["_Node"]:
        """All nodes."""
        return [*self.primaries, self._copy]

    @property
    def url(self) -> str:
        """The address, which names two of the nodes."""
        named = ",".join(f"{LOOPBACK}:{node.port}" for node in self.primaries[:2])
        return f"redis+cluster://{named}"

    @staticmethod
    def is_of_primary(key: str) -> bool:
        """Whether the first primary has a key."""
        return key_slot(key.encode()) * 3 < _SLOTS

    def _start(self) -> None:
        self._run(self.servers)
        first = self.primaries[0]
        for number, node in enumerate(self.primaries):
            slots = [slot for slot in range(_SLOTS) if slot * 3 // _SLOTS == number]
            _said(node, "CLUSTER", "ADDSLOTSRANGE", slots[0], slots[-1])
            _said(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            _said(first, "CLUSTER", "MEET", LOOPBACK, node.port, node.bus_port)
        wait_until(lambda: all(map(_knows_all, self.servers)), _PATIENCE, "the nodes know all")
        _said(self.replica, "CLUSTER", "REPLICATE", _said(first, "CLUSTER", "MYID"))
        wait_until(lambda: self._is_whole(self.servers), _PATIENCE, "the cluster is whole")
        wait_until(lambda: _is_replicating(self.replica), _PATIENCE, "the replica has a copy")

    def _is_whole(self, nodes: Sequence[ValkeyServer]) -> bool:
        return all(b"cluster_state:ok" in _said(node, "CLUSTER", "INFO") for node in nodes)


class WatchedValkey(_Group):
    """A primary and its replica, which three sentinels watch."""

    def __init__(self, directory: Path) -> None:
        """Prepare without starting; logs go to the directory."""
        self.primary, self.replica = ValkeyServer(directory), ValkeyServer(directory)
        self.sentinels = [_Sentinel(directory, self.primary) for _ in range(3)]
        super().__init__([self.primary, self.replica, *self.sentinels])

    @property
    def url(self) -> str:
        """The address."""
        named = ",".join(f"{LOOPBACK}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{named}/{SERVICE}"

    @staticmethod
    def is_of_primary(_: str) -> bool:
        """Whether the primary has a key: each."""
        return True

    def _start(self) -> None:
        self._run([self.primary, self.replica])
        _said(self.replica, "REPLICAOF", LOOPBACK, self.primary.port)
        wait_until(lambda: _is_replicating(self.replica), _PATIENCE, "the replica has a copy")
        self._run(self.sentinels)
        for sentinel in self.sentinels:
            _said(sentinel, "SENTINEL", "DEBUG", *_QUICK)
        wait_until(lambda: all(map(_knows_others, self.sentinels)), _PATIENCE, "all is known")


def _said(server: ValkeyServer, *command: str | int | bytes) -> Any:
    """Return what one server answers to a command."""
    with redis.Redis.from_url(server.url, socket_timeout=5) as client:
        return client.execute_command(*command)


def _knows_all(node: ValkeyServer) -> bool:
    return b"cluster_known_nodes:4\r" in _said(node, "CLUSTER", "INFO")


def _is_replicating(replica: ValkeyServer) -> bool:
    info = _said(replica, "INFO", "replication")
    return bool(info["role"] == "slave" and info["master_link_status"] == "up")


def _knows_others(sentinel: ValkeyServer) -> bool:
    """Whether a sentinel knows the two others and the replica."""
    lists = [_said(sentinel, "SENTINEL", kind, SERVICE) for kind in ("SENTINELS", "REPLICAS")]
    return [len(one) for one in lists] == [2, 1]
