"""Items of answers that one process keeps in its memory."""

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from llm_api.domain.json_values import compact

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
        self._max_bytes, self._clock = max_bytes, clock
        self._lock = threading.Lock()
        # By caller and id: when it is forgotten, and the item as JSON; the oldest first.
        self._written: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()
        self._size = 0

    def keep(self, caller_name: str, items: Sequence[Mapping[str, Any]]) -> None:
        """See ItemStore."""
        written = as_written(items)
        now = self._clock()
        with self._lock:
            for item_id, raw in written:
                self._remove((caller_name, item_id))
                self._written[sys.intern(caller_name), item_id] = now + KEEP_S, compact(raw)
                self._size += len(raw) + _OVERHEAD_BYTES
            while self._written:
                oldest, (end, _) = next(iter(self._written.items()))
                if end > now and self._size <= self._max_bytes:
                    break
                self._remove(oldest)

    def find(self, caller_name: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """See ItemStore."""
        now = self._clock()
        with self._lock:
            found = {one: self._written.get((caller_name, one)) for one in ids}
        return {
            one: orjson.loads(kept[1])
            for one, kept in found.items()
            if kept is not None and kept[0] > now
        }

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _remove(self, name: tuple[str, str]) -> None:
        kept = self._written.pop(name, None)
        if kept is not None:
            self._size -= len(kept[1]) + _OVERHEAD_BYTES


def as_written(items: Sequence[Mapping[str, Any]]) -> list[tuple[str, bytes]]:
    """Return the ids of items, and these as JSON; without those that are too large."""
    written = [(item["id"], orjson.dumps(item)) for item in items]
    return [(item_id, raw) for item_id, raw in written if len(raw) <= MAX_ITEM_BYTES]
