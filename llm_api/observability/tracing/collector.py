"""Sends spans to a collector, and says in one line a minute that it takes none."""

import logging
import time
from collections.abc import Callable, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from llm_api.domain.tracing import TracingPlan

# All attempts at sending a batch; the packages' own default is 10. In Python the environment's
# OTEL_EXPORTER_OTLP_TIMEOUT would be in seconds, while the specification has milliseconds.
_TIMEOUT_S = 3.0
_BETWEEN_LINES_S = 60.0
_MAX_CAUSE = 80
_OF_THE_PACKAGES = "opentelemetry"
logger = logging.getLogger(__name__)


class _Listener(logging.Handler):
    """Listens to the packages' logger in place of the log: they write several lines a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.cause = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep why something was not sent."""
        self.cause = _cause_of(record)


def _cause_of(record: logging.LogRecord) -> str:
    """Return what a line says: the class of an exception, a status, else its own words."""
    given = record.args if isinstance(record.args, tuple) else ()
    for value in given:
        if isinstance(value, Exception):
            return type(value).__name__
        if type(value) is int:
            return f"status {value}"
    words = [value for value in given if isinstance(value, str)]
    return (words or [record.msg])[0][:_MAX_CAUSE]


class Collector(SpanExporter):
    """A collector that takes spans by OTLP over HTTP."""

    def __init__(self, plan: TracingPlan, clock: Callable[[], float] = time.monotonic) -> None:
        """Connect to nothing yet; `clock` returns seconds that never go back."""
        self._inner = OTLPSpanExporter(plan.url, headers=dict(plan.headers), timeout=_TIMEOUT_S)
        self._clock = clock
        self._lost = 0
        self._told_at = -_BETWEEN_LINES_S
        self._listener = _Listener()
        of_packages = logging.getLogger(_OF_THE_PACKAGES)
        of_packages.handlers = [self._listener]
        of_packages.propagate = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; one that is not taken within `_TIMEOUT_S` seconds is lost."""
        result = self._inner.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            self._tell()
        return result

    def _tell(self) -> None:
        now = self._clock()
        if now - self._told_at < _BETWEEN_LINES_S:
            return
        fields = {"spans": self._lost, "cause": self._listener.cause}
        logger.warning("traces are lost: the collector does not take them", extra=fields)
        self._told_at, self._lost = now, 0

    def shutdown(self) -> None:
        """End a wait before another attempt, and send nothing more."""
        self._inner.shutdown()  # type: ignore[no-untyped-call]  # it has no types
