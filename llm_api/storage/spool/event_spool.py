"""The durable queue in front of the events of lineages, in files like those of usage rows.

An event is a line; it is in the store before it leaves the file, so that it may come twice: the
store drops the second. What is not here is that a call begins: an event has happened.
"""

import logging
import threading
import time
from datetime import datetime
from functools import partial
from pathlib import Path

import orjson

from llm_api.domain.lineage import LineageEvent
from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.storage import LineageStore, RefusedError, StoreError
from llm_api.storage.spool.file import SpoolFile, SpoolLine, empty_orphans
from llm_api.storage.threads import StoreThreads

logger = logging.getLogger(__name__)

_PAUSE_S = 0.5  # events of half a second share one commit
_MAX_PAUSE_S = 10.0
_ORPHAN_CHECK_S = 30.0
_BATCH = 200


class EventSpool:
    """One process's spool of events, and the thread that empties it into the store."""

    def __init__(self, folder: Path, store: LineageStore, threads: StoreThreads) -> None:
        """Open nothing yet: file and thread must belong to the worker, not to its parent.

        Args:
            folder: where the processes of an installation have their files; made when needed.
            store: where events go.
            threads: runs the store's methods.
        """
        self._folder, self._store, self._threads = folder, store, threads
        self._writing, self._flushing = threading.Lock(), threading.Lock()
        self._file: SpoolFile | None = None
        self._retry_pause = _PAUSE_S
        self._checked_at = float("-inf")
        self._thread = PeriodicThread("lineage-spool", _ORPHAN_CHECK_S, self._move)
        self._thread.woken.set()  # when it starts, it looks for orphans at once

    def start(self) -> None:
        """Start the thread, if it does not run yet."""
        self._thread.start()

    def add(self, event: LineageEvent) -> None:
        """Write down that something has happened; raises OSError where that is not possible."""
        line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        with self._writing:
            if self._file is None:
                self._file = SpoolFile.create(self._folder)
            self._file.write(line)
        if not self._thread.is_started:
            self.start()
        self._thread.woken.set()

    def _move(self) -> None:
        """Empty the spool once, then pause: longer each time while the store is away."""
        try:
            if time.monotonic() - self._checked_at >= _ORPHAN_CHECK_S:
                self._checked_at = time.monotonic()
                self.adopt_orphans()
            self.flush()
        except StoreError as error:
            logger.warning("lineage events wait for the database", extra={"cause": str(error)})
            self._retry_pause = min(self._retry_pause * 2, _MAX_PAUSE_S)
            self._thread.woken.set()
        else:
            self._retry_pause = _PAUSE_S
        self._thread.pause(self._retry_pause)

    def flush(self) -> None:
        """Move all events into the store now; raises StoreError."""
        with self._flushing:
            if self._file is None:
                return
            self._save_all(self._file)
            # A file that is empty is not held open: in most workers there is seldom an event.
            with self._writing:
                if not self._file.has_unread:
                    self._file.remove()
                    self._file = None

    def _save_all(self, file: SpoolFile) -> None:
        for lines in file.batches():
            events = [event for line in lines if (event := _read(line)) is not None]
            for start in range(0, len(events), _BATCH):
                self._save(events[start : start + _BATCH])

    def _save(self, events: list[LineageEvent]) -> None:
        """Move events into the store; one that it will never accept must not block the others."""
        try:
            self._threads.run(partial(self._store.add, events))
        except RefusedError as error:
            if len(events) == 1:
                extra = {"kind": events[0].kind, "cause": str(error)}
                logger.error("lineage event not saved", extra=extra)  # noqa: TRY400  # nothing to trace
                return
            middle = len(events) // 2
            self._save(events[:middle])
            self._save(events[middle:])

    def adopt_orphans(self) -> None:
        """Move the events of processes that are gone into the store; raises StoreError."""
        empty_orphans(self._folder, self._save_all)

    def close(self) -> None:
        """Empty the spool; events that the store cannot take now stay for the next process."""
        self._thread.close()
        try:
            self.flush()
        except StoreError as error:
            logger.warning("lineage events stay in the spool", extra={"cause": str(error)})
            return
        with self._flushing, self._writing:
            if self._file is not None and not self._file.has_unread:
                self._file.remove()
                self._file = None


def _read(line: SpoolLine) -> LineageEvent | None:
    """Return an event; None where a full disk or a power cut has spoiled its line."""
    try:
        fields = orjson.loads(line.content)
        fields["at"] = datetime.fromisoformat(fields["at"])
        return LineageEvent(**fields)
    except (ValueError, TypeError, KeyError):
        return None
