"""Records metrics, by the definitions of the catalogue, in memory that workers share.

Under gunicorn every worker has a number, its slot, and writes to the files of that slot, which are
mapped into memory: what a worker has counted survives it, and the next worker in the slot counts
on (docs/decisions/0051-metrics.md). Without gunicorn, numbers are those of the process.
"""

import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import prometheus_client

from llm_api.observability.metric_catalogue import COUNTER, GAUGE, MetricDefinition
from llm_api.observability.metric_names import OTHER, KnownNames

logger = logging.getLogger(__name__)

# Of one metric, in one worker: what is bounded elsewhere stays far below.
MAX_LABEL_SETS = 500
# Of a slot's files by their names. They are written whole at the start: a page that has no place on
# a full disk would end the worker with SIGBUS when a metric is first written to it.
_FILE_BYTES = {
    "counter": 1 << 21,
    "histogram": 1 << 19,
    "gauge_livesum": 1 << 16,
    "gauge_livemax": 1 << 16,
    "gauge_livemostrecent": 1 << 16,
}
_PIECE_BYTES = 1 << 14


class Metrics:
    """The metrics of a process. Until something is recorded, prometheus_client is not loaded."""

    def __init__(self) -> None:
        """Record for this process alone, unless `share` is called before the first record."""
        self.names = KnownNames()
        self.folder: Path | None = None
        self.is_available = True
        self._slot = 0
        self._families: dict[str, Any] = {}
        self._children: dict[tuple[str, ...], Any] = {}
        self._sets: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._registry: Any = None

    def share(self, folder: Path | None, slot: int) -> None:
        """Record in the files of a slot; None where there is no folder: nothing can be exposed."""
        self.folder, self._slot = folder, slot
        self.is_available = folder is not None
        if folder is not None:
            self.names.share(folder / "names")

    @property
    def registry(self) -> Any:
        """The registry of prometheus_client, where this process alone is measured."""
        with self._lock:
            self._begin()
        return self._registry

    def of(self, metric: MetricDefinition, *labels: str) -> Any:
        """Return what records one series of a metric: prometheus_client's `inc`, `observe`, `set`.

        Label values beyond MAX_LABEL_SETS are all `other`.
        """
        found = self._children.get((metric.name, *labels))
        return self._new(metric, labels) if found is None else found

    def _new(self, metric: MetricDefinition, labels: tuple[str, ...]) -> Any:
        with self._lock:
            family = self._families.get(metric.name) or self._new_family(metric)
            if not metric.labels:
                return self._children.setdefault((metric.name,), family)
            if self._sets[metric.name] >= MAX_LABEL_SETS:
                labels = (OTHER,) * len(labels)
            key = (metric.name, *labels)
            if key not in self._children:
                self._sets[metric.name] += 1
                self._children[key] = family.labels(*labels)
            return self._children[key]

    def _new_family(self, metric: MetricDefinition) -> Any:
        self._begin()
        about = metric.family, metric.help, metric.labels
        if metric.kind == COUNTER:
            family = _client().Counter(*about, registry=self._registry)
        elif metric.kind == GAUGE:
            family = _client().Gauge(*about, registry=self._registry, multiprocess_mode=metric.mode)
        else:
            family = _client().Histogram(*about, registry=self._registry, buckets=metric.buckets)
        self._families[metric.name] = family
        return family

    def _begin(self) -> None:
        """Load prometheus_client, and choose what holds its values."""
        if self._registry is not None:
            return
        values = _client().values
        values.ValueClass = values.MutexValue
        if self.folder is not None and _has_room(self.folder, self._slot):
            values.ValueClass = values.MultiProcessValue(lambda: self._slot)
        _client().disable_created_metrics()
        self._registry = _client().CollectorRegistry()


def _client() -> Any:
    """Return the library, half of whose functions have no types; the first look loads it."""
    return prometheus_client


def _write_zeros(path: Path, size: int) -> None:
    """Write so many zeros, in pieces: glibc would keep 2 MiB that were once asked of it at once."""
    with path.open("wb") as file:
        for _ in range(size // _PIECE_BYTES):
            file.write(bytes(_PIECE_BYTES))


def _has_room(folder: Path, slot: int) -> bool:
    """Make the files of a slot as large as they will be; False where the disk is too full."""
    try:
        for kind, size in _FILE_BYTES.items():
            path = folder / f"{kind}_{slot}.db"
            if not path.exists():
                # Who collects meanwhile must not find it empty.
                unfinished = path.with_suffix(".new")
                _write_zeros(unfinished, size)
                unfinished.rename(path)
    except OSError as error:
        logger.error(  # noqa: TRY400  # the traceback would say nothing that errno does not
            "metrics of this worker are not counted", extra={"errno": error.errno}
        )
        return False
    return True
