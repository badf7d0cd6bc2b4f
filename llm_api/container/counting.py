"""Builds what counts calls where their rows are written."""

from pathlib import Path

from llm_api.domain.tasks import Task
from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.metrics import Metrics
from llm_api.services.usage.metered_sink import CallCounter, MeteredSink
from llm_api.settings.settings import Settings
from llm_api.storage import UsageStore
from llm_api.storage.spool.spool import Spool, SpoolCounts
from llm_api.storage.threads import StoreThreads


def build_spool(
    settings: Settings, folder: Path, store: UsageStore, threads: StoreThreads, metrics: Metrics
) -> tuple[Spool, MeteredSink]:
    """Build the spool, and the sink in front of it, which counts."""
    counter = CallCounter(metrics, _models_of(settings))
    counts = SpoolCounts(
        refused=lambda: metrics.of(catalogue.ROWS_REFUSED).inc(),
        killed=counter.count,
    )
    spool = Spool(folder, store, threads, refuses=settings.refuse_unrecorded_calls, counts=counts)
    return spool, MeteredSink(spool, counter)


def _models_of(settings: Settings) -> frozenset[str]:
    """Return the models that the settings name, which nobody has invented."""
    plans = [*settings.upstreams.values(), *settings.making_upstreams.values()]
    return frozenset(endpoint.model for plan in plans for endpoint in plan.endpoints)


def count_ended(metrics: Metrics, task: Task) -> None:
    """Count a task that has ended."""
    metrics.of(catalogue.TASKS_ENDED, task.kind, task.state.value).inc()
