"""The rewrites of one process, in its memory."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

import orjson
from cachetools import TLRUCache

from llm_api.domain.rewrites import KeptRewrite

MAX_BYTES = 8 << 20  # of all rewrites of a process
_OVERHEAD_BYTES = 1_024  # of one's objects, however short it is


class MemoryRewrites:
    """Keeps the newest rewrite of each request; those that were used last stay longest."""

    def __init__(
        self, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep nothing yet.

        Args:
            max_bytes: of all rewrites together.
            clock: returns seconds that never go back.
        """
        self._lock = threading.Lock()
        self._latest: TLRUCache[str, KeptRewrite] = TLRUCache(
            max_bytes, _kept_until, clock, getsizeof=_size
        )

    def latest(self, request: str, now: datetime) -> KeptRewrite | None:  # noqa: ARG002  # as of stores with rows
        """Return the newest rewrite of a request that has not expired."""
        with self._lock:
            return self._latest.get(request)

    def put(self, rewrite: KeptRewrite) -> None:
        """Store a rewrite as the newest of its request."""
        if _size(rewrite) <= self._latest.maxsize:
            with self._lock:
                self._latest[rewrite.request] = rewrite


def _kept_until(_: str, rewrite: KeptRewrite, now: float) -> float:
    if rewrite.expires_at is None:
        return float("inf")
    return now + (rewrite.expires_at - rewrite.created_at).total_seconds()


def _size(rewrite: KeptRewrite) -> int:
    return len(orjson.dumps(rewrite.document)) + _OVERHEAD_BYTES
