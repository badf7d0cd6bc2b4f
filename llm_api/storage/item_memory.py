"""Items of answers that one process keeps in its memory."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from cachetools import TTLCache

KEEP_S = 3_600.0
MAX_ITEM_BYTES = 128 << 10
MAX_BYTES = 8 << 20  # of all items of a process
_OVERHEAD_BYTES = 512  # of one's objects, however short it is


class MemoryItems:
    """Keeps items for an hour; the oldest go first where there is no room."""

    def __init__(
        self, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep nothing yet.

        Args:
            max_bytes: of all items together.
            clock: returns seconds that never go back.
        """
        self._lock = threading.Lock()
        self._written: TTLCache[str, bytes] = TTLCache(max_bytes, KEEP_S, clock, getsizeof=_size)

    def keep(self, caller_name: str, items: Sequence[Mapping[str, Any]]) -> None:
        """See ItemStore."""
        with self._lock:
            for name, written in named_items(caller_name, items):
                self._written[name] = written

    def find(self, caller_name: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """See ItemStore."""
        with self._lock:
            found = {one: self._written.get(item_name(caller_name, one)) for one in ids}
        return {one: orjson.loads(raw) for one, raw in found.items() if raw is not None}

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def named_items(caller_name: str, items: Sequence[Mapping[str, Any]]) -> list[tuple[str, bytes]]:
    """Return items as they are stored, by their names there; without those that are too large."""
    written = [(item_name(caller_name, item["id"]), orjson.dumps(item)) for item in items]
    return [(name, raw) for name, raw in written if len(raw) <= MAX_ITEM_BYTES]


def item_name(caller_name: str, item_id: str) -> str:
    """Return the name of a caller's item, which has nothing of either in it."""
    return hashlib.sha256(f"{caller_name}\0{item_id}".encode()).hexdigest()


def _size(written: bytes) -> int:
    return len(written) + _OVERHEAD_BYTES
