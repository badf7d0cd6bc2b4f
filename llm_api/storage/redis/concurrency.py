"""Counts what runs at the same time: in this process, or in Redis for all processes.

A slot in Redis is a lease that its process renews, so that the slots of a killed process are freed
when their leases end. While Redis is away each process counts for itself.

Leases are members of a sorted set with their ends as scores, as in "Counting semaphores" of Josiah
Carlson's "Redis in Action", section 6.3.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.storage.redis.connection import RedisConnection

_PREFIX = "llm_api:slots:"
_LEASE_S = 60.0
_RENEWALS = 3  # within the time of a lease
_UNKNOWN = -1
# The time is Redis's own: those of processes on several machines differ.
_ACQUIRE = """
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
_HELD = """
local now = redis.call("TIME")
now = now[1] * 1000 + math.floor(now[2] / 1000)
return redis.call("ZCOUNT", KEYS[1], "(" .. now, "+inf")
"""


class ConcurrencyCounter(Protocol):
    """Counts how many calls hold slots of a name."""

    def acquire(self, name: str, limit: int, owner: str) -> bool:
        """Acquire a slot; False where `limit` slots of the name are held already.

        Args:
            name: what is limited, such as `key_1:streams`.
            limit: how many slots the name has now.
            owner: who holds the slot, once; a request id.
        """

    def release(self, name: str, owner: str) -> None:
        """Release a slot that was acquired."""

    def held(self, name: str) -> tuple[int, bool]:
        """Return how many slots of the name are held, and whether all processes count in them."""


class MemoryConcurrency:
    """Counts in this process."""

    def __init__(self) -> None:
        """Create a counter with all slots free."""
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def acquire(self, name: str, limit: int, owner: str) -> bool:  # noqa: ARG002  # see ConcurrencyCounter
        """See ConcurrencyCounter."""
        with self._lock:
            if self._held[name] >= limit:
                return False
            self._held[name] += 1
            return True

    def release(self, name: str, owner: str) -> None:  # noqa: ARG002  # see ConcurrencyCounter
        """See ConcurrencyCounter."""
        with self._lock:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]

    def held(self, name: str) -> tuple[int, bool]:
        """See ConcurrencyCounter."""
        return self._held.get(name, 0), False

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class RedisConcurrency:
    """Counts in Redis."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        lease: float = _LEASE_S,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: of Redis or Valkey.
            clock: returns seconds that never go back.
            lease: seconds after which the slots of a killed process are free.
        """
        self._redis = RedisConnection(url, "concurrency is counted in memory for a while", clock)
        self._acquire = self._redis.client.register_script(_ACQUIRE)
        self._renew = self._redis.client.register_script(_RENEW)
        self._count_held = self._redis.client.register_script(_HELD)
        self._lease = lease
        self._memory = MemoryConcurrency()
        self._leases: dict[tuple[str, str], None] = {}
        # Slots that Redis may count as held although no call holds them any more.
        self._unreleased: deque[tuple[str, str]] = deque()
        self._renewals = PeriodicThread("concurrency-leases", lease / _RENEWALS, self._renew_all)

    def acquire(self, name: str, limit: int, owner: str) -> bool:
        """See ConcurrencyCounter."""
        if self._redis.is_away:
            return self._memory.acquire(name, limit, owner)
        self._release_now()
        arguments = [owner, limit, round(self._lease * 1000)]
        acquired = self._redis.call(
            lambda: int(self._acquire([_PREFIX + name], arguments)), otherwise=_UNKNOWN
        )
        if acquired == _UNKNOWN:
            self._unreleased.append((name, owner))  # only its answer may be lost
            return self._memory.acquire(name, limit, owner)
        if acquired:
            self._leases[name, owner] = None
            self._renewals.start()
        return bool(acquired)

    def release(self, name: str, owner: str) -> None:
        """See ConcurrencyCounter."""
        if (name, owner) not in self._leases:
            self._memory.release(name, owner)
            return
        del self._leases[name, owner]
        self._unreleased.append((name, owner))
        self._release_now()

    def held(self, name: str) -> tuple[int, bool]:
        """See ConcurrencyCounter; while Redis is away, of what this process has granted since."""
        count = self._redis.call(
            lambda: int(self._count_held([_PREFIX + name])), otherwise=_UNKNOWN
        )
        return self._memory.held(name) if count == _UNKNOWN else (count, True)

    def _release_now(self) -> None:
        """Release what is to be released, until Redis fails."""
        with suppress(IndexError):  # another thread has done it
            while self._unreleased:
                name, owner = slot = self._unreleased.popleft()
                if self._removed(name, owner) == _UNKNOWN:
                    self._unreleased.append(slot)
                    return

    def _removed(self, name: str, owner: str) -> int:
        return self._redis.call(
            lambda: int(self._redis.client.zrem(_PREFIX + name, owner)), otherwise=_UNKNOWN
        )

    def _renew_all(self) -> None:
        self._release_now()
        for name, owner in list(self._leases):
            self._renew_lease(name, owner)

    def _renew_lease(self, name: str, owner: str) -> None:
        arguments = [owner, round(self._lease * 1000)]
        self._redis.call(lambda: self._renew([_PREFIX + name], arguments), otherwise=None)

    def close(self) -> None:
        """End the renewals, and close the connections."""
        self._renewals.close()
        self._redis.close()
