"""Deletes files and tasks whose time is over, and what else has a time.

Every worker does it: to delete what another one has just deleted is no error.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from llm_api.errors import ApiError
from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.services.files import FileService
from llm_api.storage import StoreError, TaskStore
from llm_api.storage.threads import StoreThreads

BATCH = 100
INTERVAL_S = 3_600.0
_PAUSE_S = 0.1  # between two batches, in which calls can be served
logger = logging.getLogger(__name__)


class FileRetention:
    """The thread of a worker that deletes what has expired: tasks with their files, then files."""

    def __init__(
        self,
        tasks: TaskStore,
        files: FileService,
        threads: StoreThreads,
        *,
        forget: Callable[[int], int] = lambda _: 0,
        interval: float = INTERVAL_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Start nothing yet.

        Args:
            tasks: where tasks are kept.
            files: where their files are.
            threads: runs the methods of `tasks`.
            forget: deletes at most so many of other things, and returns how many.
            interval: seconds between two runs.
            now: clock; returns the time in UTC.
        """
        self._tasks, self._files, self._threads, self._now = tasks, files, threads, now
        self._forget = forget
        self._thread = PeriodicThread("file-retention", interval, self._delete_or_warn)
        self._thread.woken.set()  # when it starts, it deletes at once

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Delete nothing further, and wait a while for what is being deleted."""
        self._thread.close()

    def _delete_or_warn(self) -> None:
        try:
            self.delete_all()
        except (StoreError, ApiError) as error:
            # A store's own sentence; what is behind it has statements and addresses.
            cause = error if isinstance(error, StoreError) else error.__cause__ or error
            logger.warning("old files stay for now", extra={"cause": str(cause)})

    def delete_all(self) -> None:
        """Delete whatever has expired; raises StoreError or Unavailable."""
        self.delete_expired()
        self._in_batches(partial(self._forget, BATCH))

    def delete_expired(self) -> tuple[int, int]:
        """Delete what has expired; return how many tasks, and files of others.

        Raises StoreError or Unavailable; what was deleted by then stays deleted.
        """
        tasks = self._in_batches(self._delete_tasks)
        files = self._in_batches(partial(self._files.delete_expired, BATCH))
        if tasks or files:
            logger.info("old files deleted", extra={"tasks": tasks, "files": files})
        return tasks, files

    def _in_batches(self, delete: Callable[[], int]) -> int:
        deleted = 0
        while not self._thread.is_closing and (count := delete()):
            deleted += count
            self._thread.pause(_PAUSE_S)
        return deleted

    def _delete_tasks(self) -> int:
        expired = self._threads.run(lambda: self._tasks.expired(self._now(), BATCH))
        for task in expired:
            self._files.delete_of_task(task.id)
            self._threads.run(partial(self._tasks.delete, task.id))
        return len(expired)
