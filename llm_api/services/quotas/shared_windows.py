"""Counts of uses by time that processes share in Redis or Valkey."""

import math
from typing import Any

import limits
from limits.storage import RedisStorage

from llm_api.domain.access import LimitState
from llm_api.services.quotas.rate_counter import facts_of
from llm_api.storage.redis.connection import failures, make_client

# Its scheme for `limits.storage.storage_from_string`.
SHARED_URI = "llm-api-redis://"
_MS = 1000
# The keys and counts are those of the library's own scripts, so that processes of another release
# count along. Of its scripts a use needs two, which run 13 commands; this runs 4. It spares the
# service half of the 0.27 ms of CPU that a limit took, and a round trip. A call with a key, with
# limits of requests, tokens and calls at once, runs 15 commands in place of 33.
_USE = """
local limit, expiry, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left = redis.call("PTTL", KEYS[2])
if left > 0 and left < expiry then
    -- The window is over, and becomes the one before.
    redis.call("RENAME", KEYS[2], KEYS[1])
    left = left + expiry
    redis.call("SET", KEYS[2], 0, "PX", left)
end
local counts = redis.call("MGET", KEYS[1], KEYS[2])
local previous, current = tonumber(counts[1] or 0), tonumber(counts[2] or 0)
local previous_left = 0
if previous > 0 then previous_left = math.max(redis.call("PTTL", KEYS[1]), 0) end
local used = math.floor(previous * previous_left / expiry) + current
if ARGV[4] == "1" then cost = math.min(cost, math.max(limit - used, 0)) end
local is_within = used + cost <= limit
if is_within and cost > 0 then
    if left > 0 then
        redis.call("INCRBY", KEYS[2], cost)
    else
        left = expiry * 2
        redis.call("SET", KEYS[2], cost, "PX", left)
    end
    current = current + cost
end
return {is_within and 1 or 0, previous, previous_left, current, math.max(left, 0)}
"""


class SharedWindows:
    """Sliding-window counters as `MonotonicMemoryStorage` has them, in Redis; see Windows."""

    def __init__(self, client: Any) -> None:
        """Count with a client of redis-py, whose errors are raised."""
        self._use = client.register_script(_USE)

    def use(
        self, item: limits.RateLimitItem, subject: str, cost: int, *, is_past: bool = False
    ) -> LimitState:
        """See Windows."""
        text, expiry, begin, end = facts_of(item)
        current_key = f"LIMITS:{{{begin}{subject}{end}}}"
        arguments = [item.amount, expiry * _MS, cost, int(is_past)]
        is_within, previous, previous_left, current, current_left = self._use(
            [f"{current_key}/-1", current_key], arguments
        )
        remaining = item.amount - math.floor(previous * previous_left / (expiry * _MS) + current)
        resets = []
        if previous:
            resets.append(previous_left / _MS % (expiry / previous))
        if current:
            resets.append(max(0.0, current_left / _MS - expiry))
        reset_in = min(resets, default=0.0)
        return LimitState(text, item.amount, max(0, remaining), reset_in, not is_within)


class SharedStorage(RedisStorage):
    """What the library `limits` makes for an address of Redis or Valkey, with our own client.

    Its own storages connect while they are made where there are several servers, so that nothing
    would start while those are away; repeat what fails after pauses of seconds; and need the
    library `valkey` for an address of that name.
    """

    STORAGE_SCHEME = ["llm-api-redis"]  # noqa: RUF012  # the library's declaration

    def __init__(self, _uri: str, *, url: str) -> None:
        """Connect to nothing yet.

        Args:
            _uri: ignored; the library hands over the URI by which it found this class.
            url: of Redis or Valkey; see `make_client`.
        """
        super(RedisStorage, self).__init__()
        self.storage = make_client(url)

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Return what is raised while the store is away."""
        return failures()
