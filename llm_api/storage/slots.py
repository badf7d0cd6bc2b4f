"""Counts what runs at the same time: in this process, or in Redis for all processes.

A place in Redis is a lease that its process renews, so that those of a killed process fall free by
themselves. While Redis is away each process counts for itself.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from llm_api.storage.redis_link import RedisLink

_PREFIX = "llm_api:slots:"
_LEASE_MS = 60_000
_RENEW_S = 20.0
# The time is Redis's own: those of processes on several machines differ.
_TAKE = """
local now = redis.call("TIME")
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
if redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call("ZADD", KEYS[1], now + ARGV[3], ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return 1
"""
_RENEW = """
local now = redis.call("TIME")
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call("ZADD", KEYS[1], "XX", now + ARGV[2], ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
"""


class Slots(Protocol):
    """Places of which so many can be taken at the same time."""

    def take(self, name: str, limit: int, owner: str) -> bool:
        """Take a place among those of `name`; False where all are taken."""

    def give_back(self, name: str, owner: str) -> None:
        """Give back a place that was taken."""


class MemorySlots:
    """Counts in this process."""

    def __init__(self) -> None:
        """Begin with all places free."""
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, name: str, limit: int, owner: str) -> bool:  # noqa: ARG002  # see Slots
        """See Slots."""
        with self._lock:
            if self._taken[name] >= limit:
                return False
            self._taken[name] += 1
            return True

    def give_back(self, name: str, owner: str) -> None:  # noqa: ARG002  # see Slots
        """See Slots."""
        with self._lock:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]

    def close(self) -> None:
        """Hold nothing that is to be closed."""


class RedisSlots:
    """Counts in Redis."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Connect to nothing yet."""
        self._link = RedisLink(url, "concurrency is counted in memory for a while", clock)
        self._take = self._link.client.register_script(_TAKE)
        self._renew = self._link.client.register_script(_RENEW)
        self._memory = MemorySlots()
        self._leases: dict[tuple[str, str], None] = {}
        self._has_leases = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, name: str, limit: int, owner: str) -> bool:
        """See Slots."""
        unknown = -1
        taken = self._link.tried(
            lambda: int(self._take([_PREFIX + name], [owner, limit, _LEASE_MS])), otherwise=unknown
        )
        if taken == unknown:
            return self._memory.take(name, limit, owner)
        if taken:
            self._leases[name, owner] = None
            self._has_leases.set()
            self._start_renewing()
        return bool(taken)

    def give_back(self, name: str, owner: str) -> None:
        """See Slots."""
        if (name, owner) not in self._leases:
            self._memory.give_back(name, owner)
            return
        del self._leases[name, owner]
        self._link.tried(lambda: self._link.client.zrem(_PREFIX + name, owner), otherwise=0)

    def _start_renewing(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew_all, name="slots", daemon=True)
            self._thread.start()

    def _renew_all(self) -> None:
        while True:
            self._has_leases.wait()
            self._has_leases.clear()
            while self._leases:
                time.sleep(_RENEW_S)
                for name, owner in list(self._leases):
                    self._renew_lease(name, owner)

    def _renew_lease(self, name: str, owner: str) -> None:
        self._link.tried(lambda: self._renew([_PREFIX + name], [owner, _LEASE_MS]), otherwise=None)

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
