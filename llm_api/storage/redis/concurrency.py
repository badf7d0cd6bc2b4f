"""Counts what runs at the same time: in this process, or in Redis for all processes.

A place in Redis is a lease that its process renews, so that those of a killed process fall free by
themselves. While Redis is away each process counts for itself.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from llm_api.storage.redis.connection import RedisConnection

_PREFIX = "llm_api:slots:"
_LEASE_S = 60.0
_RENEWALS = 3  # in the time of a lease
_UNKNOWN = -1
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


class ConcurrencyCounter(Protocol):
    """Places of which so many can be taken at the same time."""

    def take(self, name: str, limit: int, owner: str) -> bool:
        """Take a place among those of `name`; False where all are taken."""

    def give_back(self, name: str, owner: str) -> None:
        """Give back a place that was taken."""


class MemoryConcurrency:
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


class RedisConcurrency:
    """Counts in Redis."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        lease: float = _LEASE_S,
    ) -> None:
        """Connect to nothing yet; `lease` is for how many seconds a killed process keeps places."""
        self._link = RedisConnection(url, "concurrency is counted in memory for a while", clock)
        self._take = self._link.client.register_script(_TAKE)
        self._renew = self._link.client.register_script(_RENEW)
        self._lease = lease
        self._memory = MemoryConcurrency()
        self._leases: dict[tuple[str, str], None] = {}
        # Places that may be taken in Redis and are not wanted any more.
        self._owed: deque[tuple[str, str]] = deque()
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def take(self, name: str, limit: int, owner: str) -> bool:
        """See Slots."""
        if self._link.is_away:
            return self._memory.take(name, limit, owner)
        self._pay_back()
        arguments = [owner, limit, round(self._lease * 1000)]
        taken = self._link.tried(
            lambda: int(self._take([_PREFIX + name], arguments)), otherwise=_UNKNOWN
        )
        if taken == _UNKNOWN:
            self._owed.append((name, owner))  # only its answer may be lost
            return self._memory.take(name, limit, owner)
        if taken:
            self._leases[name, owner] = None
            self._start_renewing()
        return bool(taken)

    def give_back(self, name: str, owner: str) -> None:
        """See Slots."""
        if (name, owner) not in self._leases:
            self._memory.give_back(name, owner)
            return
        del self._leases[name, owner]
        self._owed.append((name, owner))
        self._pay_back()

    def _pay_back(self) -> None:
        """Give back what is owed, as far as Redis is there."""
        with suppress(IndexError):  # another thread has done it
            while self._owed:
                name, owner = owed = self._owed.popleft()
                if self._removed(name, owner) == _UNKNOWN:
                    self._owed.append(owed)
                    return

    def _removed(self, name: str, owner: str) -> int:
        return self._link.tried(
            lambda: int(self._link.client.zrem(_PREFIX + name, owner)), otherwise=_UNKNOWN
        )

    def _start_renewing(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_all, name="slots", daemon=True)
                self._thread.start()

    def _renew_all(self) -> None:
        while not self._is_closing.wait(self._lease / _RENEWALS):
            self._pay_back()
            for name, owner in list(self._leases):
                self._renew_lease(name, owner)

    def _renew_lease(self, name: str, owner: str) -> None:
        arguments = [owner, round(self._lease * 1000)]
        self._link.tried(lambda: self._renew([_PREFIX + name], arguments), otherwise=None)

    def close(self) -> None:
        """Renew no more, and close the connections."""
        self._is_closing.set()
        self._link.close()
