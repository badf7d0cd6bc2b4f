"""A collector of OpenTelemetry's on a real loopback socket: reads spans, or is ill in some way."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.ports import LOOPBACK
from tests.support.waiting import wait_until

PATIENCE = 30.0  # for spans, which come within a second: the machine may be busy


class SeenSpan:
    """A span as it came."""

    def __init__(self, span: Span, resource: Mapping[str, Any]) -> None:
        """Read a span of a service with these `resource` attributes."""
        self.name, self.resource = span.name, resource
        self.trace_id, self.id, self.parent_id = (
            one.hex() for one in (span.trace_id, span.span_id, span.parent_span_id)
        )
        self.kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
        self.attributes = {one.key: _value(one.value) for one in span.attributes}
        self.has_failed = span.status.code == Status.STATUS_CODE_ERROR
        self.trace_state = span.trace_state
        self.started_s, self.ended_s = (
            one / 1e9 for one in (span.start_time_unix_nano, span.end_time_unix_nano)
        )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None


class OtlpCollector:
    """Takes spans by OTLP over HTTP; `illness` makes it answer 503, or nothing at all."""

    def __init__(self) -> None:
        """Listen nowhere yet."""
        self.illness = ""  # or "503" or "silence"
        self.posts = 0
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._spans: list[SeenSpan] = []
        self._is_ending = threading.Event()

    def __enter__(self) -> Self:
        """Start listening."""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the standard library's name
                status = collector.answered(self)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Refuse connections from now on."""
        self._is_ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def answered(self, handler: BaseHTTPRequestHandler) -> int:
        """Read a request and return the status of its answer."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.posts += 1
        if self.illness == "silence":
            self._is_ending.wait()
        if self.illness:
            return 503
        assert handler.path == "/v1/traces"
        sent = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            for group in sent.resource_spans:
                resource = {one.key: _value(one.value) for one in group.resource.attributes}
                for scope in group.scope_spans:
                    self._spans += [SeenSpan(span, resource) for span in scope.spans]
        return 200

    def spans(self) -> list[SeenSpan]:
        """Return the spans so far, in the order in which they began."""
        with self._lock:
            return sorted(self._spans, key=lambda span: span.started_s)

    def trace_of(self, request_id: str) -> list[SeenSpan]:
        """Wait for the span of a request, which ends last, and return all of its trace."""

        def root() -> SeenSpan | None:
            known = (
                s for s in self.spans() if s.attributes.get("llm_api.request_id") == request_id
            )
            return next(known, None)

        wait_until(root, PATIENCE, lambda: f"a span of {request_id}")
        found = root()
        assert found is not None
        return [span for span in self.spans() if span.trace_id == found.trace_id]
