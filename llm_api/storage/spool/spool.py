"""The durable queue between calls and the usage store: a file for each process.

Each process appends to a file of its own under `spool/` of INSTANCE_DIR: one line when a call
begins and one when it ends, 2 and 4 µs each. A background thread moves the rows of ended calls into
the store in batches. So no call waits for the database, and nothing is lost when the database is
away (the file grows until it is back) or when the process dies: its lock on the file falls, the
next process to look adopts the file, and a call that began and never ended becomes a row `killed`.

A row is in the store before it leaves the file, so that it may come twice; the store drops the
second (docs/decisions/0003-spool.md).
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llm_api.domain.usage import UsageRecord
from llm_api.errors import Unavailable
from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.storage import RefusedError, StoreError, UsageStore
from llm_api.storage.spool.file import SpoolFile, empty_orphans, ended_records
from llm_api.storage.threads import StoreThreads

logger = logging.getLogger(__name__)

ROTATE_BYTES = 4 << 20
_PAUSE_S = 0.5  # rows of half a second share one commit
_MAX_PAUSE_S = 10.0
_ORPHAN_CHECK_S = 30.0


def _count_nothing(*_: object) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True)
class SpoolCounts:
    """Who is told of rows that take another way.

    `refused` rows are in the log only, `killed` ones are of calls whose process is gone.
    """

    refused: Callable[[], None] = _count_nothing
    killed: Callable[[UsageRecord], None] = _count_nothing


class Spool:
    """One process's spool, and the thread that empties it into the store."""

    def __init__(
        self,
        folder: Path,
        store: UsageStore,
        threads: StoreThreads,
        *,
        refuses: bool = False,
        counts: SpoolCounts | None = None,
    ) -> None:
        """Open nothing yet: file and thread must belong to the worker, not to its parent.

        Args:
            folder: where the processes of an installation have their files; made when needed.
            store: where rows go.
            threads: runs the store's methods.
            refuses: whether a call is refused when its row cannot be written.
            counts: is told of rows that go another way; None tells nobody.
        """
        self.is_saving = True
        self.rows_waiting = 0
        self._waiting_since: float | None = None
        self._counts = counts or SpoolCounts()
        self._refuses = refuses
        self._folder = folder
        self._store = store
        self._threads = threads
        self._writing = threading.Lock()
        self._flushing = threading.Lock()
        self._open_calls: dict[str, UsageRecord] = {}
        self._file: SpoolFile | None = None
        self._retry_pause = _PAUSE_S
        self._checked_at = float("-inf")
        self._thread = PeriodicThread("usage-spool", _ORPHAN_CHECK_S, self._move_rows)
        self._thread.woken.set()  # when it starts, it looks for orphans at once

    @property
    def oldest_wait(self) -> float:
        """Seconds since the oldest row that waits for the store was written, or a little longer."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def begin(self, record: UsageRecord) -> None:
        """Record that a call is about to reach its upstream.

        Raises:
            Unavailable: the row cannot be written, and calls are refused then.
        """
        with self._writing:
            self._open_calls[record.request_id] = record
            self._append("begun", record)
        if self._refuses and not self.is_saving:
            raise _not_saved()
        if not self._thread.is_started:
            self.start()

    def require_saving(self) -> None:
        """Raise Unavailable where rows cannot be written, and calls are refused then.

        For work whose row has no beginning here, because another process may end it.
        """
        if self._refuses and not self.can_save():
            raise _not_saved()

    def can_save(self) -> bool:
        """Whether rows can be written now, as far as a few bytes show; no call is needed for it."""
        with self._writing:
            self._try_saving()
        return self.is_saving

    def _try_saving(self) -> None:
        try:
            if self._file is None:
                self._file = SpoolFile.create(self._folder)
            self._file.check()
            self.is_saving = True
        except OSError:
            self.is_saving = False

    def end(self, record: UsageRecord) -> None:
        """Record how a call ended."""
        with self._writing:
            self._open_calls.pop(record.request_id, None)
            if self._append("ended", record):
                self.rows_waiting += 1
                if self._waiting_since is None:
                    self._waiting_since = time.monotonic()
        self._thread.woken.set()

    def _append(self, state: str, record: UsageRecord) -> bool:
        """Append a line; whether that was possible."""
        try:
            if self._file is None:
                self._file = SpoolFile.create(self._folder)
            self._file.append(state, record)
            self.is_saving = True
        except OSError as error:
            self.is_saving = False
            # The row goes to the log, the last place that is left.
            logger.error(  # noqa: TRY400  # the traceback would say nothing that errno does not
                "usage row not saved",
                extra={"state": state, "row": record, "errno": error.errno},
            )
            if state == "ended":
                self._counts.refused()
        return self.is_saving

    def start(self) -> None:
        """Start the thread, if it does not run yet."""
        self._thread.start()

    def _move_rows(self) -> None:
        """Empty the spool once, then pause: longer each time while the store is away."""
        try:
            self._adopt_orphans_now_and_then()
            self.flush()
        except StoreError as error:
            logger.warning("usage rows wait for the database", extra={"cause": str(error)})
        except Exception:  # whatever it is: rows must go on being written
            logger.exception("usage rows wait")
        else:
            self._retry_pause = _PAUSE_S
            self._thread.pause(_PAUSE_S)
            return
        self._retry_pause = min(self._retry_pause * 2, _MAX_PAUSE_S)
        self._thread.pause(self._retry_pause)
        self._thread.woken.set()

    def _adopt_orphans_now_and_then(self) -> None:
        if time.monotonic() - self._checked_at >= _ORPHAN_CHECK_S:
            self._checked_at = time.monotonic()
            self.adopt_orphans()

    def flush(self) -> None:
        """Move the rows of all ended calls into the store now; raises StoreError."""
        with self._flushing:
            if self._file is None:
                return
            for batch in self._file.batches():
                began_at, records = time.monotonic(), ended_records(batch)
                self._save(records)
                with self._writing:
                    self.rows_waiting -= len(records)
                    # What is still there was written after this batch was read.
                    self._waiting_since = began_at if self.rows_waiting else None
            if self._file.size > ROTATE_BYTES:
                with contextlib.suppress(OSError):  # the full file is as good as a new one
                    self._rotate(self._file)

    def _save(self, records: list[UsageRecord]) -> None:
        """Move records into the store; one that it will never accept must not block the others."""
        if not records:
            return
        try:
            self._threads.run(partial(self._store.add, records))
        except RefusedError as error:
            if len(records) == 1:
                extra = {"state": "ended", "row": records[0], "cause": str(error)}
                logger.error("usage row not saved", extra=extra)  # noqa: TRY400  # nothing to trace
                self._counts.refused()
                return
            middle = len(records) // 2
            self._save(records[:middle])
            self._save(records[middle:])

    def _rotate(self, full: SpoolFile) -> None:
        """Replace the full file by a new one that has the calls still open."""
        with self._writing:
            if full.has_unread:
                return
            new = SpoolFile.create(self._folder)
            for record in self._open_calls.values():
                new.append("begun", record)
            self._file = new
        full.remove()

    def adopt_orphans(self) -> None:
        """Move the rows of processes that are gone into the store; raises StoreError."""
        saved: list[UsageRecord] = []
        try:
            empty_orphans(self._folder, lambda file: saved.extend(self._save_all(file)))
        finally:
            # Their files are gone now: no other process counts them, too.
            for record in saved:
                self._counts.killed(record)

    def _save_all(self, file: SpoolFile) -> Iterable[UsageRecord]:
        """Move all rows of a file into the store; returns those of calls that never ended."""
        killed: dict[str, UsageRecord] = {}
        for batch in file.batches():
            for line in batch:
                if (record := line.record()) is not None:
                    killed.pop(record.request_id, None)
                    if not line.has_ended:
                        killed[record.request_id] = record
            self._save(ended_records(batch))
        self._save(list(killed.values()))
        return killed.values()

    def close(self) -> None:
        """Empty the spool; rows that the store cannot take now stay for the next process."""
        self._thread.close()
        try:
            self.flush()
        except StoreError as error:
            logger.warning("usage rows stay in the spool", extra={"cause": str(error)})
            return
        with self._flushing, self._writing:
            if self._file is not None and not self._open_calls and not self._file.has_unread:
                self._file.remove()
                self._file = None


def _not_saved() -> Unavailable:
    message = "Usage cannot be recorded at the moment, and calls are not made without."
    return Unavailable(message, reason="usage_not_saved", retry_after=5)
