"""Every metric of the service, in one place: name, kind, help and labels.

Code records by these names, and docs/metrics.md has its table from them. Labels are never keys,
callers, tags or requests: only names that the configuration, the code or the first calls bound.

The rules of names: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Mapping
from dataclasses import dataclass

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
# How the values of workers become one (prometheus_client's "multiprocess modes"): of dead workers
# nothing is left in either.
SUM, MAX, LATEST = "livesum", "livemax", "livemostrecent"

# Seconds. Own time is a millisecond or two; a video model's prompt may think for minutes.
_OWN_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_WAIT_S = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric.

    Attributes:
        name: as it is exposed.
        kind: COUNTER, GAUGE or HISTOGRAM.
        help: one sentence.
        labels: their names.
        mode: of a gauge, how the values of workers become one.
        buckets: of a histogram, the upper bounds in seconds.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    mode: str = SUM
    buckets: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """The name without the ending that every counter has."""
        return self.name.removesuffix("_total")


def _counter(name: str, text: str, *labels: str) -> MetricDefinition:
    return MetricDefinition(f"llm_api_{name}", COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str, mode: str = SUM) -> MetricDefinition:
    return MetricDefinition(f"llm_api_{name}", GAUGE, text, labels, mode)


def _seconds(name: str, text: str, buckets: tuple[float, ...]) -> MetricDefinition:
    return MetricDefinition(f"llm_api_{name}", HISTOGRAM, text, ("upstream",), buckets=buckets)


CALLS = _counter(
    "calls_total",
    "Calls that reached an upstream, by how they ended: one for each usage row.",
    *("upstream", "model", "status"),
)
CALL_ERRORS = _counter(
    "call_errors_total",
    "Of those, the ones that did not end well, by their reason.",
    *("upstream", "reason"),
)
TOKENS = _counter(
    "tokens_total",
    "Tokens: prompt, completion, and of these cached and reasoning; counted by the upstream"
    " (measured) or by this service (estimated).",
    *("upstream", "model", "kind", "source"),
)
COST = _counter(
    "cost_total", "What calls have cost, in whole units of the currency.", "upstream", "currency"
)
UNPRICED = _counter(
    "unpriced_calls_total",
    "Calls of unknown cost: those that failed before their usage was known, and of status ok those"
    " without a price or a usage.",
    *("upstream", "model", "status"),
)
PICTURES = _counter(
    "pictures_total", "Pictures and films that were delivered.", "upstream", "model"
)
ATTEMPTS = _counter(
    "upstream_attempts_total",
    "Attempts at an endpoint of an upstream, by their outcome: ok or a reason.",
    *("endpoint", "outcome"),
)
FALLBACKS = _counter(
    "fallbacks_total",
    "Calls that another endpoint or model has answered than the first.",
    *("first", "answered", "reason"),
)
FIRST_TOKEN = _seconds(
    "first_token_seconds", "Until the first token of an answer came, or its first byte.", _WAIT_S
)
UPSTREAM = _seconds("upstream_seconds", "Waiting for upstreams, all attempts together.", _WAIT_S)
OVERHEAD = _seconds(
    "overhead_seconds", "Spent neither in a queue nor waiting for upstreams.", _OWN_S
)
REQUESTS = _counter(
    "requests_total",
    "HTTP requests of the APIs that load shedding let in; `other` for unknown paths.",
    *("route", "status"),
)
REQUEST_ERRORS = _counter(
    "request_errors_total", "Errors that requests were answered with, by their reason.", "reason"
)
KEPT_ANSWERS = _counter(
    "kept_answers_total",
    "Requests for a kept answer: hit and miss in the cache, repeat of an idempotent request.",
    "result",
)
SHED = _counter("shed_calls_total", "Calls refused because too many were in progress.")
LIMITS = _counter(
    "limit_decisions_total",
    "Calls that limits or budgets applied to: granted, or refused by which of them.",
    *("limit", "decision"),
)
REWRITES = _counter(
    "rewrites_total",
    "Prompts: delivered, repaired, repeat, or fallback to the original because of a problem.",
    *("outcome", "problem"),
)
VERDICTS = _counter(
    "verdicts_total", "Verdicts on pictures: passed, failed or undecided.", "method", "outcome"
)
COMPARISONS = _counter(
    "comparisons_total",
    "Pictures that were compared or ranked: decided, or undecided where the first are level.",
    *("mode", "outcome"),
)
FEEDBACK = _counter("feedback_total", "What people have said of pictures.", "outcome")
TASKS_ENDED = _counter("tasks_ended_total", "Tasks that have ended.", "kind", "state")
ROWS_REFUSED = _counter(
    "usage_rows_refused_total",
    "Usage rows that are in the log only: the disk was full, or the store will never take them.",
)
STREAMS = _gauge("streams_in_progress", "Streamed calls in progress.")
IN_PROGRESS = _gauge("calls_in_progress", "Calls in progress, of those that load shedding counts.")
WAITING = _gauge("calls_waiting", "Calls that wait for one of those to end.")
CIRCUITS = _gauge(
    "open_circuits",
    "Circuits of an upstream's endpoints that are open, over all workers.",
    "upstream",
)
SPOOL_ROWS = _gauge("spool_rows", "Usage rows that wait for the store.")
SPOOL_AGE = _gauge("spool_oldest_seconds", "How long the oldest of them has waited.", mode=MAX)
TASKS = _gauge(
    "tasks",
    "Tasks that have not ended, in the whole database.",
    *("kind", "state"),
    mode=LATEST,
)

CATALOGUE: Mapping[str, MetricDefinition] = {
    metric.name: metric
    for metric in (
        *(CALLS, CALL_ERRORS, TOKENS, COST, UNPRICED, PICTURES, ATTEMPTS, FALLBACKS),
        *(FIRST_TOKEN, UPSTREAM, OVERHEAD, STREAMS, CIRCUITS),
        *(REQUESTS, REQUEST_ERRORS, KEPT_ANSWERS, IN_PROGRESS, WAITING, SHED, LIMITS),
        *(REWRITES, VERDICTS, COMPARISONS, FEEDBACK, TASKS, TASKS_ENDED),
        *(SPOOL_ROWS, SPOOL_AGE, ROWS_REFUSED),
    )
}
# Beside these: which release the service is, the value is always 1.
BUILD = MetricDefinition(
    "llm_api_build_info", GAUGE, "The release that is running; always 1.", ("version",)
)
