"""Items of answers that the processes of a service share through Redis, for an hour.

Of each caller at most `MAX_ITEMS` are kept: a list has the names of the newest, and what falls off
its end is deleted. While Redis is away each process keeps its own.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from llm_api.storage.item_memory import KEEP_S, MemoryItems, as_written
from llm_api.storage.redis.connection import RedisConnection

MAX_ITEMS = 512
_ITEM, _NEWEST = "llm_api:item:", "llm_api:items-of:"


class RedisItems:
    """Keeps items in Redis or Valkey."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        keep_s: float = KEEP_S,
        max_items: int = MAX_ITEMS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: of Redis or Valkey.
            clock: returns seconds that never go back.
            keep_s: seconds for which an item is kept.
            max_items: of one caller.
        """
        self._connection = RedisConnection(url, "items are kept in memory for a while", clock)
        self._redis = self._connection.client
        self._keep_ms = round(keep_s * 1000)
        self._max_items = max_items
        self._memory = MemoryItems(clock=clock)

    def keep(self, caller_name: str, items: Sequence[Mapping[str, Any]]) -> None:
        """See ItemStore."""
        named = {_name_of(caller_name, item_id): raw for item_id, raw in as_written(items)}
        if named and not self._connection.call(
            lambda: self._put(caller_name, named), otherwise=False
        ):
            self._memory.keep(caller_name, items)

    def find(self, caller_name: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """See ItemStore."""
        asked = list(dict.fromkeys(ids))
        names = [_name_of(caller_name, one) for one in asked]
        none: list[bytes | None] = [None] * len(asked)
        raws = self._connection.call(lambda: self._redis.mget(names), otherwise=none)
        found = {one: _read(raw) for one, raw in zip(asked, raws, strict=True)}
        known = {one: item for one, item in found.items() if item is not None}
        left = [one for one in asked if one not in known]
        return {**known, **self._memory.find(caller_name, left)}

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _put(self, caller_name: str, named: Mapping[str, bytes]) -> bool:
        """Store items, and delete the caller's oldest."""
        newest = _NEWEST + hashlib.sha256(caller_name.encode()).hexdigest()
        pipeline = self._redis.pipeline(transaction=False)
        for name, raw in named.items():
            pipeline.set(name, raw, px=self._keep_ms)
        pipeline.lpush(newest, *named)
        pipeline.lrange(newest, self._max_items, -1)
        pipeline.ltrim(newest, 0, self._max_items - 1)
        pipeline.pexpire(newest, self._keep_ms)
        too_old = [one for one in pipeline.execute()[-3] if one.decode() not in named]
        if too_old:
            self._redis.delete(*too_old)
        return True


def _name_of(caller_name: str, item_id: str) -> str:
    """Return the name of a caller's item, which has nothing of either in it."""
    return _ITEM + hashlib.sha256(f"{caller_name}\0{item_id}".encode()).hexdigest()


def _read(raw: Any) -> dict[str, Any] | None:
    """Parse an item; None where there is none, or none of ours."""
    try:
        item = orjson.loads(raw or b"")
    except orjson.JSONDecodeError:
        return None
    return item if isinstance(item, dict) else None
