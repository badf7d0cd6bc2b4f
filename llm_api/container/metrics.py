"""Builds what counts, and what is read for gauges."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llm_api.container.stores import Stores
from llm_api.observability import metric_catalogue as catalogue
from llm_api.services.gauges import Gauges, TaskGauge
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.media.vendor_client import VendorClient


def build_gauges(
    stores: Stores,
    ledger: UsageLedger,
    upstreams: Mapping[str, UpstreamClient],
    makers: Sequence[VendorClient[Any, Any]],
) -> Gauges:
    """Build the gauges of streams, circuits, the spool and tasks."""
    gauges, spool = Gauges(stores.metrics), stores.spool
    gauges.add(catalogue.STREAMS, lambda: ledger.streams)
    gauges.add(catalogue.SPOOL_ROWS, lambda: spool.rows_waiting)
    gauges.add(catalogue.SPOOL_AGE, lambda: round(spool.oldest_wait, 1))
    for client in _all(upstreams, makers):
        _add_circuits(gauges, client)
    # Threads of its own would be the idle worker's second: a mebibyte.
    tasks = TaskGauge(gauges, stores.metrics, stores.work.tasks, stores.work_threads)
    gauges.add_job(tasks)
    return gauges


def _all(
    upstreams: Mapping[str, UpstreamClient], makers: Sequence[VendorClient[Any, Any]]
) -> Iterable[UpstreamClient | VendorClient[Any, Any]]:
    return (*upstreams.values(), *makers)


def _add_circuits(gauges: Gauges, client: UpstreamClient | VendorClient[Any, Any]) -> None:
    gauges.add(catalogue.CIRCUITS, lambda: client.endpoints.open_circuits, client.name)
