"""Removes usage records that are older than the retention time, a batch at a time.

The sums by hour and day stay. One worker of an installation does it, the first to get the lock:
several at once would only wait for each other. Where records are in partitions by months, it makes
those of coming months, and old ones are dropped as a whole.
"""

import fcntl
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.threads import StoreThreads

logger = logging.getLogger(__name__)

BATCH = 500
_PAUSE_S = 0.1  # between two batches, in which calls can be written
INTERVAL_S = 3_600.0


class Months(Protocol):
    """Partitions of records by months."""

    def keep(self, now: datetime, expired: datetime | None) -> datetime | None:
        """Make those of coming months, and drop those that are over; see UsageMonths."""


class RetentionJob:
    """The thread of a worker that prunes the store."""

    def __init__(
        self,
        folder: Path,
        store: UsageStore,
        threads: StoreThreads,
        keep_days: int,
        *,
        months: Months | None = None,
        interval: float = INTERVAL_S,
    ) -> None:
        """Start nothing yet.

        Args:
            folder: where the lock of an installation's workers is; made when needed.
            store: what is pruned.
            threads: runs the store's methods.
            keep_days: days for which records are kept; 0 keeps them for ever.
            months: of a store that may have partitions; None for every other.
            interval: seconds between two runs.
        """
        self._folder = folder
        self._store = store
        self._threads = threads
        self._keep_days = keep_days
        self._months = months
        self._thread = PeriodicThread("usage-retention", interval, self._prune_or_warn)
        self._thread.woken.set()  # when it starts, it prunes at once

    def start(self) -> None:
        """Start the thread, unless records are kept for ever in one table."""
        if self._keep_days or self._months is not None:
            self._thread.start()

    def close(self) -> None:
        """Start no further batch, and wait a while for one in progress."""
        self._thread.close()

    def _prune_or_warn(self) -> None:
        try:
            self.prune()
        except (StoreError, OSError) as error:
            logger.warning("old usage rows stay for now", extra={"cause": str(error)})

    def prune(self) -> int:
        """Remove what is too old, and return how many records that were; raises StoreError."""
        now, days = datetime.now(UTC), self._keep_days
        before = now - timedelta(days=days) if days else None
        self._folder.mkdir(parents=True, exist_ok=True)
        removed = 0
        # The lock's name of the first release: two releases at once must not both prune.
        with (self._folder / "upkeep.lock").open("wb") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._months is not None:
                before = self._threads.run(partial(self._months.keep, now, before))
            removed = 0 if before is None else self._remove(before)
        if removed:
            logger.info("old usage rows removed", extra={"rows": removed})
        return removed

    def _remove(self, before: datetime) -> int:
        removed = 0
        while not self._thread.is_closing and (count := self._remove_batch(before)):
            removed += count
            self._thread.pause(_PAUSE_S)
        return removed

    def _remove_batch(self, before: datetime) -> int:
        return self._threads.run(partial(self._store.prune, before, BATCH))
