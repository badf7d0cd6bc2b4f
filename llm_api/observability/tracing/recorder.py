"""Makes spans with OpenTelemetry's SDK, in one worker, and sends them to the collector.

The SDK takes its time at its end: its flush knows no limit, and with a collector that is away
each batch waits for all of its attempts. So the end is bounded here.
"""

import threading
import uuid
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from llm_api.domain.tracing import PARENT, TracingPlan
from llm_api.observability.tracing import span_names
from llm_api.observability.tracing.collector import Collector
from llm_api.observability.tracing.spans import Place, Unsampled

_SCOPE = "llm_api"
_NOTHING = Context()
_LAST_S = 0.1  # for the SDK's own end, once nothing is sent any more


class Recorder:
    """The spans of one process."""

    def __init__(self, plan: TracingPlan) -> None:
        """Start the thread that sends them; a fork would lose it."""
        self._collector = Collector(plan)
        self._processor = BatchSpanProcessor(self._collector)
        resource = {**plan.resource, "service.instance.id": str(uuid.uuid4())}
        # The SDK would end itself at the exit of the process, in up to half a minute.
        self._ids = _DecidedIds()
        self._provider = TracerProvider(
            _sampler_of(plan),
            Resource(resource, span_names.SCHEMA_URL),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer(_SCOPE, schema_url=span_names.SCHEMA_URL)
        self._headers = TraceContextTextMapPropagator()
        self._shows_prompts = plan.shows_prompts
        # Ids below it are sampled, where nobody else decides; None where the SDK has to be asked.
        is_share = plan.sampler.removeprefix(PARENT) == "traceidratio"
        self._bound = TraceIdRatioBased.get_bound_for_rate(plan.share) if is_share else None

    def request(self, headers: Mapping[str, str], started_ns: int) -> Place | Unsampled:
        """Open the span of a request; see Traces. Its name comes with its description.

        Most are not sampled, and the SDK takes 10 µs to find that out.
        """
        if self._bound is not None and not headers:
            trace_id = self._ids.decide_on_next()
            if trace_id & TraceIdRatioBased.TRACE_ID_LIMIT >= self._bound:
                return Unsampled(self._ids.generate_trace_id(), self._ids.generate_span_id())
        return self._below("request", headers, SpanKind.SERVER, started_ns)

    def work(self, name: str, traceparent: str) -> Place:
        """Open the span of work for a request that may have ended."""
        carrier = {"traceparent": traceparent}
        return self._below(name, carrier, SpanKind.INTERNAL)

    def _below(
        self, name: str, carrier: Mapping[str, str], kind: SpanKind, started_ns: int | None = None
    ) -> Place:
        parent = self._headers.extract(carrier, Context()) if carrier else _NOTHING
        span = self._tracer.start_span(name, parent, kind, start_time=started_ns)
        return Place(self._tracer, span, shows_prompts=self._shows_prompts)

    def close(self, seconds: float) -> None:
        """Send what waits, within so many seconds, and then nothing any more."""
        _bounded(self._processor.force_flush, seconds)
        self._collector.shutdown()
        _bounded(self._provider.shutdown, _LAST_S)


class _DecidedIds(RandomIdGenerator):
    """Makes random ids, and gives the SDK the one on which it was decided before."""

    def __init__(self) -> None:
        self._next: int | None = None

    def decide_on_next(self) -> int:
        """Make the id that is returned next; no other greenlet runs before that."""
        self._next = super().generate_trace_id()
        return self._next

    def generate_trace_id(self) -> int:
        """Return the id that was decided on, else a new one."""
        known, self._next = self._next, None
        return super().generate_trace_id() if known is None else known


def _sampler_of(plan: TracingPlan) -> Sampler:
    samplers: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(plan.share),
    }
    root = samplers[plan.sampler.removeprefix(PARENT)]
    return ParentBased(root) if plan.sampler.startswith(PARENT) else root


def _bounded(function: object, seconds: float) -> None:
    """Call a function, and wait for its end for so many seconds at most."""
    assert callable(function)  # noqa: S101  # the SDK types none of its ends
    thread = threading.Thread(target=function, name="tracing-end", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
