"""Spans of requests, of steps and of attempts, as OpenTelemetry's SDK makes them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from llm_api.domain.tracing import IncomingRequest, SentRequest, Source, TracedAnswer
from llm_api.errors import ApiError
from llm_api.observability.tracing import span_attributes, span_names, span_texts

_ERROR = Status(StatusCode.ERROR)
_NOTHING = Context()
# Its id is random, as the second bit says: https://www.w3.org/TR/trace-context-2/
_UNSAMPLED_FLAGS = "02"


class Place:
    """A span that others begin below; see domain.tracing.RequestTrace.

    Of a trace that is not sampled there is no span below: its place is passed on as it is.
    """

    __slots__ = ("_context", "_shows_prompts", "_span", "_tracer", "is_sampled", "trace_id")

    def __init__(self, tracer: Tracer, span: Span, *, shows_prompts: bool) -> None:
        """Open spans of the `tracer` below a `span`."""
        self._tracer, self._span, self._shows_prompts = tracer, span, shows_prompts
        self._context: Context | None = None
        self.is_sampled = span.is_recording()
        self.trace_id = f"{span.get_span_context().trace_id:032x}"

    @property
    def traceparent(self) -> str:
        """See Trace."""
        return traceparent_of(self._span)

    @property
    def head(self) -> bytes:
        """See Trace."""
        return head_of(self._span)

    def attempt(self, sent: SentRequest) -> "SampledAttempt":
        """See Trace."""
        attributes = span_attributes.of_request(sent)
        shows_prompts = self._shows_prompts and sent.operation != "image"
        if shows_prompts:
            attributes[span_names.INPUT_MESSAGES] = span_texts.input_messages(sent.body)
        name = span_attributes.name_of(sent)
        span = self._tracer.start_span(name, self._below(), SpanKind.CLIENT, attributes)
        return SampledAttempt(span, shows_prompts=shows_prompts)

    @contextmanager
    def step(self, name: str) -> Iterator[Self]:
        """See Trace."""
        if not self.is_sampled:
            yield self
            return
        span, reason = self._tracer.start_span(name, self._below()), None
        step = type(self)(self._tracer, span, shows_prompts=self._shows_prompts)
        try:
            yield step
        except ApiError as error:
            reason = error.reason
            raise
        finally:
            step.end(reason)

    def describe(self, incoming: IncomingRequest) -> None:
        """See RequestTrace."""
        method, route = incoming.method, incoming.route
        self._span.update_name(method if route is None else f"{method} {route}")
        told = {
            span_names.HTTP_METHOD: method,
            span_names.HTTP_ROUTE: route,
            span_names.URL_SCHEME: incoming.scheme,
            span_names.REQUEST_ID: incoming.request_id,
            span_names.KEY_ID: incoming.key_id,
        }
        known = {name: value for name, value in told.items() if value is not None}
        self._span.set_attributes(known)

    def end(self, reason: str | None) -> None:
        """End the span of a step, for a reason or well."""
        if reason is not None:
            fail(self._span, reason)
        self._span.end()

    def end_request(self, status: int, reason: str | None) -> None:
        """See RequestTrace.

        An error of the client's is none of this service: only 5xx, and a stream that broke, are.
        """
        span = self._span
        span.set_attribute(span_names.HTTP_STATUS, status)
        if reason is not None:
            span.set_attribute(span_names.ERROR_TYPE, reason)
        if status >= 500 or (reason not in {None, "client_closed"} and status < 400):
            span.set_status(_ERROR)
        span.end()

    def _below(self) -> Context:
        if self._context is None:
            self._context = set_span_in_context(self._span, _NOTHING)
        return self._context


class Unsampled:
    """The place of a request whose trace is not kept; see domain.tracing.RequestTrace."""

    __slots__ = ("_span_id", "trace_id")
    is_sampled = False

    def __init__(self, trace_id: int, span_id: int) -> None:
        """Name the place for upstreams and the log."""
        self.trace_id, self._span_id = f"{trace_id:032x}", span_id

    @property
    def traceparent(self) -> str:
        """See Trace."""
        return f"00-{self.trace_id}-{self._span_id:016x}-{_UNSAMPLED_FLAGS}"

    @property
    def head(self) -> bytes:
        """See Trace."""
        return f"traceparent: {self.traceparent}\r\n".encode("ascii")

    def attempt(self, sent: SentRequest) -> None:
        """Return no span."""

    @contextmanager
    def step(self, name: str) -> Iterator[Self]:
        """Return the place itself."""
        del name
        yield self

    def describe(self, incoming: IncomingRequest) -> None:
        """Do nothing."""

    def end_request(self, status: int, reason: str | None) -> None:
        """Do nothing."""


class SampledAttempt:
    """An attempt with a span; see domain.tracing.AttemptSpan."""

    __slots__ = ("_answer", "_shows_prompts", "_span", "_texts")

    def __init__(self, span: Span, *, shows_prompts: bool) -> None:
        """Describe an attempt in its `span`."""
        self._span, self._shows_prompts = span, shows_prompts
        self._answer: TracedAnswer | None = None
        self._texts: span_texts.StreamedTexts | None = None

    @property
    def head(self) -> bytes:
        """See AttemptSpan."""
        return head_of(self._span)

    def record_answer(self, answer: TracedAnswer) -> None:
        """See AttemptSpan."""
        self._answer = answer

    def observed(self, first: Sequence[bytes], others: Source) -> Source:
        """See AttemptSpan."""
        if not self._shows_prompts:
            return others
        self._texts = span_texts.StreamedTexts(first)
        return self._texts.observed(others)

    def end(
        self, reason: str | None, first_token: float | None, *, status: int | None, said: str
    ) -> None:
        """See AttemptSpan."""
        span, answer = self._span, self._answer
        if answer is not None:
            span.set_attributes(span_attributes.of_answer(answer))
            if self._texts is not None:
                span.set_attribute(span_names.OUTPUT_MESSAGES, self._texts.messages())
            elif self._shows_prompts:
                told = span_texts.output_messages(answer.document)
                span.set_attribute(span_names.OUTPUT_MESSAGES, told)
        if first_token is not None:
            span.set_attribute(span_names.RESPONSE_TIME_TO_FIRST_CHUNK, first_token)
        if status is not None:
            span.set_attribute(span_names.HTTP_STATUS, status)
        if said:
            span.set_attribute(span_names.ATTEMPT_SAID, said)
        if reason is not None:
            fail(span, reason)
        span.end()


def fail(span: Span, reason: str) -> None:
    """Mark a span as failed for a reason."""
    span.set_attribute(span_names.ERROR_TYPE, reason)
    span.set_status(_ERROR)


def traceparent_of(span: Span) -> str:
    """Return the value of W3C's header that names a span: https://www.w3.org/TR/trace-context/."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def head_of(span: Span) -> bytes:
    """Return the lines of an HTTP head that name a span, and what others have said of its trace."""
    head = f"traceparent: {traceparent_of(span)}\r\n"
    if state := span.get_span_context().trace_state:
        head += f"tracestate: {state.to_header()}\r\n"
    return head.encode("ascii")
