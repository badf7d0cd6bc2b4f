"""Reads what goes up and down, every few seconds, and sets the gauges of this worker to it."""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llm_api.errors import Unavailable
from llm_api.observability import metric_exposition
from llm_api.observability.metric_catalogue import TASKS, MetricDefinition
from llm_api.observability.metrics import Metrics
from llm_api.runtime.native_threads import NativeThreads
from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.storage import StoreError, TaskStore
from llm_api.storage.threads import StoreThreads

INTERVAL_S = 2.0
# How often the database is asked, by one of the workers.
TASKS_INTERVAL_S = 15.0
logger = logging.getLogger(__name__)

Read = Callable[[], float]


class Gauges:
    """The gauges of this worker, and the thread that sets them.

    What has not changed is not written, so that an idle worker loads nothing for it.
    """

    def __init__(self, metrics: Metrics) -> None:
        """Read nothing yet: the thread must belong to the worker, not to its parent."""
        self.metrics = metrics
        self._reads: list[tuple[MetricDefinition, tuple[str, ...], Read]] = []
        self._last: dict[tuple[str, ...], float] = {}
        self._jobs: list[TaskGauge] = []
        # To add up the numbers of many workers takes long enough to be felt.
        self._adding_up = NativeThreads(1)
        self._thread = PeriodicThread("gauges", INTERVAL_S, self.read)

    def add(self, metric: MetricDefinition, read: Read, *labels: str) -> None:
        """Set a gauge to what `read` returns, from now on."""
        self._reads.append((metric, labels, read))

    def add_job(self, job: "TaskGauge") -> None:
        """Have `job` read every time, too; it sets what a function cannot."""
        self._jobs.append(job)

    def start(self) -> None:
        """Start the thread, if it does not run yet."""
        self._thread.start()

    def read(self) -> None:
        """Set all gauges now."""
        for metric, labels, read in self._reads:
            self.set(metric, read(), *labels)
        for job in self._jobs:
            job.read()

    def set(self, metric: MetricDefinition, value: float, *labels: str) -> None:
        """Set a gauge, unless it has that value."""
        key = (metric.name, *labels)
        if self._last.get(key, 0.0) != value:
            self.metrics.of(metric, *labels).set(value)
            self._last[key] = value

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics of all workers as they are now, and their content type.

        `accept` is the client's `Accept`. Raises Unavailable where workers share no folder.
        """
        source = self._source()
        return self._adding_up.run(lambda: metric_exposition.exposed(source, accept))

    def of_all_workers(self, metric: MetricDefinition) -> dict[tuple[str, ...], float]:
        """Return the values of a gauge by its labels, of all workers; raises as `exposed` does."""
        source = self._source()
        return self._adding_up.run(lambda: metric_exposition.values_of(source, metric))

    def _source(self) -> Path | Any:
        if not self.metrics.is_available:
            message = "The workers have no folder to share metrics in; see the service's log."
            raise Unavailable(message, reason="metrics_unavailable", retryable=False)
        self.read()
        return self.metrics.folder or self.metrics.registry

    def close(self) -> None:
        """End the thread, and then all that was to be called."""
        self._thread.close()
        for job in self._jobs:
            job.close()


class TaskGauge:
    """Counts the tasks of the whole database, in one of the workers that share a folder.

    Which one is decided by a lock, which falls with the worker that has it.
    """

    def __init__(
        self, gauges: Gauges, metrics: Metrics, store: TaskStore, threads: StoreThreads
    ) -> None:
        """Count nothing yet; `threads` run the store's methods."""
        self._gauges, self._metrics = gauges, metrics
        self._store, self._threads = store, threads
        self._asked_at = float("-inf")
        self._lock: int | None = None
        self._seen: set[tuple[str, str]] = set()

    def read(self) -> None:
        """Ask the database where it is time, and this worker's turn."""
        if time.monotonic() - self._asked_at < TASKS_INTERVAL_S or not self._is_leader():
            return
        self._asked_at = time.monotonic()
        try:
            self._set(self._threads.run(self._store.unended))
        except StoreError as error:
            logger.info("tasks are not counted", extra={"cause": str(error)})

    def close(self) -> None:
        """Leave the counting to another worker."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _set(self, counts: Mapping[tuple[str, str], int]) -> None:
        self._seen |= counts.keys()
        for kind, state in sorted(self._seen):
            self._gauges.set(TASKS, counts.get((kind, state), 0), kind, state)

    def _is_leader(self) -> bool:
        """Whether this process has the lock; without a folder there is no other process."""
        folder = self._metrics.folder
        if folder is None or self._lock is not None:
            return True
        self._lock = _locked(folder / "leader")
        return self._lock is not None


def _locked(path: Path) -> int | None:
    """Return the descriptor of a locked file, None where another process has it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
