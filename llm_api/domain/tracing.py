"""Traces: where a request spends its time, for a collector of OpenTelemetry's.

The layers know these protocols alone; `observability.tracing` has what implements them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

Source = Callable[[], list[bytes] | None]  # of the chunks of a stream
# What samplers are called: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
PARENT = "parentbased_"
SAMPLERS = ("always_on", "always_off", "traceidratio")


@dataclass(frozen=True, slots=True)
class TracingPlan:
    """Where spans are sent, and which.

    Attributes:
        url: of the collector, with its path.
        headers: sent with every batch; may have a key.
        resource: attributes of the service, `service.name` among them.
        sampler: one of SAMPLERS, maybe behind PARENT.
        share: of the traces that are sampled, 0 to 1, for `traceidratio`.
        shows_prompts: whether spans have the texts of prompts and answers.
    """

    url: str
    resource: Mapping[str, str]
    sampler: str = "parentbased_traceidratio"
    share: float = 1.0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    shows_prompts: bool = False


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request to this service, as its span describes it.

    Attributes:
        route: the route's pattern; None for a path that does not exist.
    """

    method: str
    route: str | None
    scheme: str
    request_id: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class Server:
    """An endpoint as spans name it: its vendor, and the host and port of its address."""

    provider: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SentRequest:
    """An attempt as its span describes it.

    Attributes:
        operation: `chat`, `text`, `embeddings`, `responses` or `image`.
        body: as it is sent to the upstream.
        endpoint: the name of the key or address.
        number: 1 for the first attempt of a call.
        is_fallback: whether it goes to another upstream or model than the first.
        after: why the answer of the attempt before was not used; None for the first.
    """

    operation: str
    model: str
    server: Server
    body: Mapping[str, Any] = field(repr=False)
    endpoint: str
    number: int = 1
    is_fallback: bool = False
    after: str | None = None


class TokenCounts(Protocol):
    """The tokens of an answer, None where they are not known."""

    @property
    def prompt_tokens(self) -> int | None:
        """Those of the prompt."""

    @property
    def completion_tokens(self) -> int | None:
        """Those of the answer."""

    @property
    def cached_tokens(self) -> int | None:
        """Those of the prompt's that were cached."""

    @property
    def reasoning_tokens(self) -> int | None:
        """Those of the answer's that are thoughts."""


class TracedAnswer(Protocol):
    """An answer, whole or on its way."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The answer's `id`, `model` and `choices`, as far as they are known; texts may lack."""

    @property
    def usage(self) -> TokenCounts:
        """The tokens so far."""


class AttemptSpan(Protocol):
    """The span of an attempt that is in progress."""

    @property
    def head(self) -> bytes:
        """Lines of an HTTP head that tell the upstream of the span."""

    def record_answer(self, answer: TracedAnswer) -> None:
        """Have the end describe an answer, as it is then."""

    def observed(self, first: Sequence[bytes], others: Source) -> Source:
        """Return a source of chunks that keeps their texts where they are wanted."""

    def end(
        self, reason: str | None, first_token: float | None, *, status: int | None, said: str
    ) -> None:
        """End it, for a reason or well.

        Args:
            reason: that of the error; None for a success.
            first_token: seconds until the answer began, if it did.
            status: of an upstream's error.
            said: the upstream's words about it, scrubbed; "" for none.
        """


class Trace(Protocol):
    """A place in a trace, below which further spans begin."""

    @property
    def trace_id(self) -> str:
        """The trace's id: 32 hexadecimal digits."""

    @property
    def is_sampled(self) -> bool:
        """Whether the trace is kept: only then is anything to be described."""

    @property
    def head(self) -> bytes:
        """Lines of an HTTP head that tell an upstream of the place."""

    @property
    def traceparent(self) -> str:
        """The place as W3C's header has it: https://www.w3.org/TR/trace-context/."""

    def attempt(self, sent: SentRequest) -> AttemptSpan | None:
        """Return the span of an attempt at an upstream; None where the trace is not sampled."""

    def step(self, name: str) -> AbstractContextManager["Trace"]:
        """Return the span of a step of the service, for the duration of a `with`."""


class Traceable(Protocol):
    """A dataclass with a place in a trace: a Caller."""

    @property
    def trace(self) -> Trace | None:
        """The place; None where nothing is traced."""


_Traceable = TypeVar("_Traceable", bound=Traceable)


@contextmanager
def step(caller: _Traceable, name: str) -> Iterator[_Traceable]:
    """Trace what is done inside a `with` as a step; yields the caller for whom it is done."""
    if caller.trace is None:
        yield caller
        return
    with caller.trace.step(name) as trace:
        yield replace(caller, trace=trace)  # type: ignore[type-var]  # no protocol is a dataclass


class RequestTrace(Trace, Protocol):
    """The trace of a request, at the span of the request itself."""

    def describe(self, incoming: IncomingRequest) -> None:
        """Describe the request; only where the trace is sampled."""

    def end_request(self, status: int, reason: str | None) -> None:
        """End the span of a request that was answered with a status, and maybe an error."""


class Resuming(Protocol):
    """What goes on with traces of requests that may have ended."""

    def resumed(self, traceparent: str, name: str) -> AbstractContextManager[Trace | None]:
        """Return the span of work below a place, for the duration of a `with`.

        `traceparent` is that of the place, "" where its request was not traced.
        """


class NoTraces:
    """Traces nothing."""

    def resumed(self, traceparent: str, name: str) -> AbstractContextManager[Trace | None]:
        """Return no span."""
        del traceparent, name
        return nullcontext()
