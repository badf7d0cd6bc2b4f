"""Sends requests to the endpoints of one upstream.

Endpoints are keys and addresses of the same service: they share its load, and broken ones are
passed over. The form of a request that an upstream turns out to need is remembered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, NoReturn, Self

import orjson

from llm_api.domain.calls import Completion, Operation
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.collect import collect_chunks
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.answers.responses.response_objects import parse_response
from llm_api.upstream.answers.responses.streamed_response import StreamedResponse
from llm_api.upstream.answers.usage_forms import multiplied
from llm_api.upstream.call import MAX_ATTEMPTS, AttemptRecord, UpstreamCall
from llm_api.upstream.http.response_body import UpstreamResponse, read_body
from llm_api.upstream.http.transport import Lent
from llm_api.upstream.request_forms import FormRejected, LearnedForms, form_after
from llm_api.upstream.resilience.endpoint_pool import EndpointPool, Permit, PooledEndpoint
from llm_api.upstream.vendors.errors import ErrorClassifier, is_usage_refused
from llm_api.upstream.vendors.profiles import PATHS

_OK = 200
_REFUSALS = frozenset([400, 422, 500])  # of a request, where its error says so


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request as the vendor takes it.

    Args:
        operation: what the model is asked to do.
        body: the JSON body.
        classifier: reads the errors that it is answered with.
        dropped: the caller's fields that the vendor does not take.
        wants_reasoning: whether the caller asked the model to reason.
        max_tokens: the most that the model can write; None if nothing limits it.
        counts_one_choice: whether the usage of several choices is that of one.
        defaults: the fields of the body that are the service's own.
    """

    operation: Operation
    body: dict[str, Any]
    classifier: ErrorClassifier = field(repr=False)
    dropped: tuple[str, ...] = ()
    wants_reasoning: bool = False
    max_tokens: int | None = None
    counts_one_choice: bool = False
    defaults: frozenset[str] = frozenset()

    @property
    def is_streamed(self) -> bool:
        """Whether the answer is to come as a stream."""
        return bool(self.body.get("stream"))

    def read_answer(self, body: bytes) -> Completion:
        """Read the body of an answer to it that came in one piece; raises faults.Fault."""
        if self.operation is Operation.RESPONSES:
            return parse_response(body, self.body, self.classifier, self.max_tokens)
        completion = parse_answer(
            body,
            self.operation,
            model=self.body["model"],
            classifier=self.classifier,
            max_tokens=self.max_tokens,
            encoding=self.body.get("encoding_format"),
        )
        if not self.counts_one_choice or len(completion.document.get("choices", ())) < 2:
            return completion
        usage = multiplied(completion.usage, len(completion.document["choices"]))
        return replace(completion, usage=usage)

    def new_stream(self, *, shows_usage: bool = False) -> StreamedAnswer | StreamedResponse:
        """Return the state of a streamed answer to it, before its first event."""
        if self.operation is Operation.RESPONSES:
            return StreamedResponse(self.body, self.classifier, self.max_tokens)
        return StreamedAnswer(
            self.operation,
            model=self.body["model"],
            shows_usage=shows_usage,
            classifier=self.classifier,
            max_tokens=self.max_tokens,
            choice_count=self.body.get("n") or 1,
        )

    def collect(
        self, events: Iterable[bytes], answer: StreamedAnswer | StreamedResponse
    ) -> Completion:
        """Put the events together that an `answer` takes; raises faults.Fault."""
        if isinstance(answer, StreamedResponse):
            return answer.collect(events)
        return collect_chunks(events, answer, self.max_tokens)


class RequestSender:
    """Sends requests to one upstream."""

    def __init__(self, name: str, endpoints: EndpointPool) -> None:
        """Create the sender of the upstream `name`."""
        self._name = name
        self._endpoints = endpoints
        self._sends_usage_option = True  # until the upstream refuses it
        self._forms = LearnedForms()
        self.streamed_models: set[str] = set()  # those found to answer streamed calls only

    def open(
        self,
        request: UpstreamRequest,
        call: UpstreamCall,
        *,
        asks_for_usage: bool = True,
    ) -> "OpenAnswer":
        """Send a request and lend its answer, status 200 and body unread.

        `asks_for_usage`: whether a stream may be asked for its usage. Raises faults.Fault or
        CircuitOpen.
        """
        if (form := self._forms.of_models.get(request.body["model"])) is not None:
            request = replace(request, body=form.applied(request.body, request.defaults))
        has_option = request.operation is not Operation.RESPONSES and self._sends_usage_option
        asks_for_usage = asks_for_usage and request.is_streamed and has_option
        try:
            return self._send(request, call, asks_for_usage=asks_for_usage)
        except faults.RetryDifferently as refusal:
            if call.attempt_count >= MAX_ATTEMPTS:
                raise refusal.fault from refusal
            return self._open_again(request, call, refusal, asks_for_usage=asks_for_usage)

    def _open_again(
        self,
        request: UpstreamRequest,
        call: UpstreamCall,
        refusal: faults.RetryDifferently,
        *,
        asks_for_usage: bool,
    ) -> "OpenAnswer":
        """Send a request in the form that the upstream accepts, and remember it if that helped."""
        if isinstance(refusal, faults.StreamOptionsRejected):
            opened = self.open(request, call, asks_for_usage=False)
            # Remembered only now: the refusal may have had another reason that names the option.
            self._sends_usage_option = False
            return opened
        if isinstance(refusal, FormRejected):
            again = replace(request, body=refusal.form.applied(request.body, request.defaults))
            with self._forms.learning(request.body["model"], refusal.form):
                return self.open(again, call, asks_for_usage=asks_for_usage)
        if request.is_streamed:
            raise refusal.fault from refusal
        streamed = replace(request, body=request.body | {"stream": True})
        opened = self.open(streamed, call)
        self.streamed_models.add(request.body["model"])
        return opened

    def _send(
        self,
        request: UpstreamRequest,
        call: UpstreamCall,
        *,
        asks_for_usage: bool,
    ) -> "OpenAnswer":
        body = request.body
        if asks_for_usage:
            body = body | {"stream_options": {"include_usage": True}}
        opened = OpenAnswer(self._endpoints, *self._endpoints.acquire(call, body))
        try:
            response = opened.send(self._name, request.operation, body, call)
            if response.status_code != _OK:
                self._refuse(request, body, response, asks_for_usage=asks_for_usage)
        except BaseException as error:
            opened.end(error)
            raise
        return opened

    @staticmethod
    def _refuse(
        request: UpstreamRequest,
        body: Mapping[str, Any],
        response: UpstreamResponse,
        *,
        asks_for_usage: bool,
    ) -> NoReturn:
        """Raise what an answer with another status means: a Fault, or RetryDifferently."""
        text = read_body(response)
        fault = request.classifier.of_status(response, text, body)
        if asks_for_usage and is_usage_refused(response, text):
            raise faults.StreamOptionsRejected(fault)
        if response.status_code in _REFUSALS:
            form = form_after(fault.error, text, body, request.defaults)
            if form is not None:
                raise FormRejected(fault, form)
        raise fault


class OpenAnswer:
    """An attempt whose answer is lent for the duration of a `with`, and how the attempt ends.

    It holds what an ExitStack with four generators would, for a third of the CPU.
    """

    response: UpstreamResponse

    def __init__(self, pool: EndpointPool, endpoint: PooledEndpoint, permit: Permit) -> None:
        """Make an attempt at an endpoint that was acquired from its pool."""
        self.permit = permit
        self._pool = pool
        self._endpoint = endpoint
        self._attempt: AttemptRecord | None = None
        self._lent: Lent | None = None

    def send(
        self, upstream: str, operation: Operation, body: Mapping[str, Any], call: UpstreamCall
    ) -> UpstreamResponse:
        """Send a body and return the answer, whatever its status; raises faults.Fault."""
        attempt = call.attempt(upstream, self._endpoint.name, body["model"])
        attempt.__enter__()
        self._attempt = attempt
        if call.trace is not None:
            call.trace_attempt(operation, body, self._endpoint.server)
        lent = self._endpoint.transport.post(PATHS[operation], orjson.dumps(body), call)
        self.response = lent.__enter__()
        self._lent = lent
        return self.response

    def end(self, error: BaseException | None) -> None:
        """End the attempt, because of an `error` or well; raises what became of the error.

        From the inside out: a fault of the connection can turn out to be an end of our own making.
        """
        outcome = error
        for inner in (self._lent, self._attempt, self.permit):
            try:
                if inner is not None:
                    inner.__exit__(type(outcome) if outcome else None, outcome, None)
            except BaseException as other:  # noqa: BLE001  # raised below
                outcome = other
        self._pool.release(self._endpoint)
        if outcome is not None and outcome is not error:
            raise outcome

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """End the attempt."""
        self.end(error)
