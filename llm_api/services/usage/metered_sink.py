"""Counts every call where its usage row is written, so that metrics and ledger have equal sums."""

from collections.abc import Callable, Collection
from typing import Any

from llm_api.domain.usage import UsageRecord
from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.metrics import Metrics
from llm_api.services.usage.ledger import UsageSink

_MICRO = 1_000_000
_SOURCES = {"upstream": "measured", "estimated": "estimated"}
_Count = Callable[[float], None]


class CallCounter:
    """Counts calls by their rows.

    What counts a series is kept: to look for it takes as long as to count, and a call has ten.
    """

    def __init__(self, metrics: Metrics, models: Collection[str] = frozenset()) -> None:
        """Count in `metrics`; `models` may be labels whether or not they have answered."""
        self._metrics = metrics
        self._models = frozenset(models)
        self._series: dict[tuple[str, ...], Any] = {}
        self._attempts: dict[tuple[str, str | None], _Count] = {}

    def count(self, record: UsageRecord) -> None:
        """Count a call that has ended."""
        series = self._series.get((record.upstream, record.model, record.status))
        if series is None:
            series = self._series_of(record)
        series.count(record)
        for attempt in record.attempts_detail:
            key = attempt["upstream"], attempt["reason"]
            count = self._attempts.get(key)
            if count is None:
                of = self._metrics.of(catalogue.ATTEMPTS, key[0], key[1] or "ok")
                count = self._attempts[key] = of.inc
            count(1)
        if record.status != "ok":
            reason = record.reason or record.status
            self._metrics.of(catalogue.CALL_ERRORS, record.upstream, reason).inc()
        elif len(record.attempts_detail) > 1:
            self._count_fallback(record)

    def _series_of(self, record: UsageRecord) -> "_CallSeries":
        may_add = record.status == "ok" or record.model in self._models
        model = self._metrics.names.label(record.model, may_add=may_add)
        key = record.upstream, model, record.status
        if (series := self._series.get(key)) is None:
            series = self._series[key] = _CallSeries(self._metrics, *key)
        return series

    def _count_fallback(self, record: UsageRecord) -> None:
        first, last = record.attempts_detail[0], record.attempts_detail[-1]
        if (first["upstream"], first["model"]) != (last["upstream"], last["model"]):
            labels = first["upstream"], last["upstream"], first["reason"] or "unusable"
            self._metrics.of(catalogue.FALLBACKS, *labels).inc()


class _CallSeries:
    """What counts the calls of a model that end in the same way."""

    def __init__(self, metrics: Metrics, upstream: str, model: str, status: str) -> None:
        self._metrics, self._upstream = metrics, upstream
        self._model, self._status = model, status
        self._calls: _Count = metrics.of(catalogue.CALLS, upstream, model, status).inc
        self._first_token, self._waiting, self._own = (
            metrics.of(metric, upstream).observe
            for metric in (catalogue.FIRST_TOKEN, catalogue.UPSTREAM, catalogue.OVERHEAD)
        )
        self._tokens: dict[tuple[str, str], _Count] = {}
        self._costs: dict[str | None, _Count] = {}

    def count(self, record: UsageRecord) -> None:
        """Count a call."""
        self._calls(1)
        source = _SOURCES.get(record.usage_source)
        if source is not None:  # the ledger, too, adds up no counts that nobody has made
            self._add(source, "prompt", record.prompt_tokens)
            self._add(source, "completion", record.completion_tokens)
            self._add(source, "cached", record.cached_tokens)
            self._add(source, "reasoning", record.reasoning_tokens)
        self._add_cost(record)
        if record.images:
            of = self._metrics.of(catalogue.PICTURES, self._upstream, self._model)
            of.inc(record.images)
        if record.first_token_ms is not None:
            self._first_token(record.first_token_ms / 1000)
        if record.upstream_ms is not None:
            self._waiting(record.upstream_ms / 1000)
        if record.overhead_ms is not None:
            self._own(record.overhead_ms / 1000)

    def _add(self, source: str, kind: str, tokens: int | None) -> None:
        if not tokens:
            return
        count = self._tokens.get((source, kind))
        if count is None:
            of = self._metrics.of(catalogue.TOKENS, self._upstream, self._model, kind, source)
            count = self._tokens[source, kind] = of.inc
        count(tokens)

    def _add_cost(self, record: UsageRecord) -> None:
        count = self._costs.get(record.currency)
        if count is None:
            if record.currency is None:
                labels = self._upstream, self._model, self._status
                of = self._metrics.of(catalogue.UNPRICED, *labels)
            else:
                of = self._metrics.of(catalogue.COST, self._upstream, record.currency)
            count = self._costs[record.currency] = of.inc
        count(1 if record.currency is None else (record.cost_micro or 0) / _MICRO)


class MeteredSink:
    """A sink of usage rows that counts what passes; `begin` is that of the sink."""

    def __init__(self, sink: UsageSink, counter: CallCounter) -> None:
        """Count with `counter` what goes to `sink`."""
        self.begin = sink.begin
        self._write = sink.end
        self._counter = counter

    def end(self, record: UsageRecord) -> None:
        """Write how a call ended, and count it.

        In this order: a process that is killed in between has counted too little, never too much.
        """
        self._write(record)
        self._counter.count(record)
