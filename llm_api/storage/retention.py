"""Removes usage records that are older than is wanted, a few at a time.

Sums by hour and day stay. One worker of an installation does it, whoever gets the lock first; two
that did it at once would only take turns.
"""

import fcntl
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llm_api.storage import StoreError, UsageStore

logger = logging.getLogger(__name__)

BATCH = 500
_PAUSE_S = 0.1  # between two batches, in which calls can be written
_INTERVAL_S = 3_600.0
# Runs a function that may block for long, such as a database call, where it stops nobody else.
Offload = Callable[[Callable[[], None]], None]


class RetentionJob:
    """The thread of a worker that prunes the store."""

    def __init__(self, folder: Path, store: UsageStore, offload: Offload, keep_days: int) -> None:
        """Start nothing yet; `keep_days` is 0 where records are kept for ever."""
        self._folder = folder
        self._store = store
        self._offload = offload
        self._keep_days = keep_days
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if there is anything to do for it."""
        if self._keep_days and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="usage-upkeep", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Begin nothing more."""
        self._is_closing.set()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            try:
                self.prune()
            except (StoreError, OSError) as error:
                logger.warning("old usage rows stay for now", extra={"cause": str(error)})
            except Exception:  # whatever it is: the next hour is another chance
                logger.exception("old usage rows stay for now")
            self._is_closing.wait(_INTERVAL_S)

    def prune(self) -> int:
        """Remove what is too old, and return how many records it were; raises StoreError."""
        before = datetime.now(UTC) - timedelta(days=self._keep_days)
        self._folder.mkdir(parents=True, exist_ok=True)
        removed = 0
        with (self._folder / "upkeep.lock").open("wb") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            while not self._is_closing.is_set() and (count := self._batch(before)):
                removed += count
                self._is_closing.wait(_PAUSE_S)
        if removed:
            logger.info("old usage rows removed", extra={"rows": removed})
        return removed

    def _batch(self, before: datetime) -> int:
        counts: list[int] = []
        self._offload(lambda: counts.append(self._store.prune(before, BATCH)))
        return counts[0]
