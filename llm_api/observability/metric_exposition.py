"""Writes metrics in Prometheus' formats: those of all workers, from the files that they share."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.multiprocess import MultiProcessCollector

import llm_api
from llm_api.observability.metric_catalogue import (
    BUILD,
    CATALOGUE,
    COUNTER,
    GAUGE,
    MetricDefinition,
)


def exposed(source: Path | Any, accept: str = "") -> tuple[bytes, str]:
    """Return metrics and their content type.

    Args:
        source: the folder that workers share, or the registry of this process.
        accept: the client's `Accept`; empty for the text format 0.0.4.
    """
    encode, content_type = choose_encoder(accept)
    registry = prometheus_client.CollectorRegistry()
    registry.register(_Everything(source))
    return encode(registry), content_type


def values_of(source: Path | Any, metric: MetricDefinition) -> dict[tuple[str, ...], float]:
    """Return the values of a gauge by those of its labels; for `source` see `exposed`."""
    return {
        tuple(sample.labels[name] for name in metric.labels): sample.value
        for family in _collected(source)
        if family.name == metric.family
        for sample in family.samples
    }


def _collected(source: Path | Any) -> Iterable[Metric]:
    if not isinstance(source, Path):
        found: Iterable[Metric] = source.collect()
        return found
    collector: Any = MultiProcessCollector  # it has no types
    added_up: Iterable[Metric] = collector(None, str(source)).collect()
    return added_up


class _Everything:
    """Collects every metric of the catalogue, also those that nobody has recorded yet."""

    def __init__(self, source: Path | Any) -> None:
        self._source = source

    def describe(self) -> list[Metric]:
        """Return nothing: prometheus_client would collect everything to find the names out."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics in the catalogue's order."""
        by_name = {metric.name: metric for metric in _collected(self._source)}
        yield _build()
        for metric in CATALOGUE.values():
            yield by_name.get(metric.family) or _empty(metric)


def _build() -> Metric:
    family = GaugeMetricFamily(BUILD.name, BUILD.help, labels=BUILD.labels)
    family.add_metric([llm_api.__version__], 1.0)
    return family


def _empty(metric: MetricDefinition) -> Metric:
    """Return a metric without samples, or of 0 where it has no labels that it could lack."""
    if metric.kind == COUNTER:
        return CounterMetricFamily(metric.family, metric.help, **_zero(metric))
    if metric.kind == GAUGE:
        return GaugeMetricFamily(metric.family, metric.help, **_zero(metric))
    return HistogramMetricFamily(metric.family, metric.help, labels=metric.labels)


def _zero(metric: MetricDefinition) -> dict[str, Any]:
    return {"labels": metric.labels} if metric.labels else {"value": 0.0}
