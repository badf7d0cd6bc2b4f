"""Sends requests to the endpoints of one upstream.

Endpoints are keys and addresses of the same service: they share its load, and broken ones are
passed over. The form of a request that an upstream turns out to need is remembered.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import requests

from llm_api.domain.calls import Completion, Operation
from llm_api.runtime.concurrency import ConcurrencyLimit
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.answers.usage_forms import multiplied
from llm_api.upstream.call import MAX_ATTEMPTS, UpstreamCall
from llm_api.upstream.http.response_body import UpstreamResponse, read_body
from llm_api.upstream.http.transport import Transport
from llm_api.upstream.request_forms import FormRejected, LearnedForms, form_after
from llm_api.upstream.resilience.circuit_breaker import CircuitOpen
from llm_api.upstream.resilience.endpoint_health import EndpointHealth, Permit
from llm_api.upstream.vendors.errors import ErrorClassifier, is_usage_refused
from llm_api.upstream.vendors.profiles import PATHS

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

    def new_stream(self, *, shows_usage: bool = False) -> StreamedAnswer:
        """Return the state of a streamed answer to it, before its first event."""
        return StreamedAnswer(
            self.operation,
            model=self.body["model"],
            shows_usage=shows_usage,
            classifier=self.classifier,
            max_tokens=self.max_tokens,
            choice_count=self.body.get("n") or 1,
        )


class PooledEndpoint:
    """One key at one address: its connections, its health and its calls in progress."""

    def __init__(self, name: str, transport: Transport, health: EndpointHealth) -> None:
        """Create an endpoint without calls; `name` stands in usage rows and logs."""
        self.name = name
        self.transport = transport
        self.health = health
        self.calls_in_progress = 0


class EndpointPool:
    """Limits the calls in progress, and chooses an endpoint for every attempt."""

    def __init__(
        self, endpoints: Sequence[PooledEndpoint], max_concurrency: int, queue_timeout: float
    ) -> None:
        """Create the pool of an upstream.

        Args:
            endpoints: at least one.
            max_concurrency: calls in progress, so that a hanging upstream delays no other.
            queue_timeout: seconds that a call waits for a slot, or less if its own time ends first.
        """
        self.limit = ConcurrencyLimit(max_concurrency)
        self._queue_timeout = queue_timeout
        self._endpoints = list(endpoints)
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, call: UpstreamCall) -> Iterator[None]:
        """Occupy a slot for the duration of a call; raises an ApiError if none is free in time."""
        has_waited = not self.limit.try_acquire()
        if has_waited:
            self._wait(call)
        try:
            if has_waited:  # nothing watched the call meanwhile
                call.check()
                if (ending := call.ending) is not None:
                    raise ending.error
            yield
        finally:
            self.limit.release()

    def _wait(self, call: UpstreamCall) -> None:
        began_at = time.monotonic()
        has_slot = self.limit.acquire(min(self._queue_timeout, call.remaining))
        call.record_queueing(time.monotonic() - began_at)
        if not has_slot:
            raise faults.overloaded()

    def has_other(self, call: UpstreamCall, body: Mapping[str, Any]) -> bool:
        """Whether there is a usable endpoint for a request that the call has not tried."""
        if len(self._endpoints) == 1:
            return False
        tried = {attempt.endpoint for attempt in call.attempts}
        return any(
            endpoint.name not in tried and not endpoint.health.wait(body, call)
            for endpoint in self._endpoints
        )

    @contextmanager
    def acquire(
        self, call: UpstreamCall, body: Mapping[str, Any]
    ) -> Iterator[tuple[PooledEndpoint, Permit]]:
        """Lend the best endpoint for the call's next attempt, and record how the attempt ends.

        The best one was not tried by this call, is not failing and has the fewest calls. One whose
        circuit was open long enough comes first, as its probe. Raises CircuitOpen.
        """
        endpoint, permit = self._choose(call, body)
        try:
            with permit.recording():
                yield endpoint, permit
        finally:
            with self._lock:
                endpoint.calls_in_progress -= 1

    def _choose(self, call: UpstreamCall, body: Mapping[str, Any]) -> tuple[PooledEndpoint, Permit]:
        if len(self._endpoints) == 1:  # nothing to choose: spares a few microseconds a call
            [only] = self._endpoints
            permit = Permit(only.health, body, call)
            with self._lock:
                only.calls_in_progress += 1
            return only, permit
        tried = {attempt.endpoint for attempt in call.attempts}
        # Choosing and asking the breaker are one step: of two calls that find the same probe due,
        # the second goes to another endpoint.
        with self._lock:
            waits = [one.health.wait(body, call) for one in self._endpoints]
            usable = [one for one, wait in zip(self._endpoints, waits, strict=True) if not wait]
            if not usable:
                raise CircuitOpen(min(waits))
            best = min(
                usable,
                key=lambda endpoint: (
                    endpoint.name in tried,
                    not endpoint.health.is_open(body, call),
                    endpoint.calls_in_progress,
                ),
            )
            permit = Permit(best.health, body, call)
            best.calls_in_progress += 1
            # Without a reason to prefer another, the next call begins with the next in the row.
            self._endpoints.append(self._endpoints.pop(self._endpoints.index(best)))
        return best, permit

    def close(self) -> None:
        """Close the idle connections."""
        for endpoint in self._endpoints:
            endpoint.transport.close()

    @property
    def first(self) -> PooledEndpoint:
        """An endpoint to ask for what concerns all, one that works if there is one."""
        with self._lock:
            return min(self._endpoints, key=lambda endpoint: endpoint.health.has_open_circuit)


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
        stack: ExitStack,
        *,
        asks_for_usage: bool = True,
    ) -> tuple[UpstreamResponse, Permit]:
        """Send a request and return its answer, status 200 and body unread, until `stack` closes.

        `asks_for_usage`: whether a stream may be asked for its usage. Raises faults.Fault or
        CircuitOpen.
        """
        if (form := self._forms.of_models.get(request.body["model"])) is not None:
            request = replace(request, body=form.applied(request.body, request.defaults))
        asks_for_usage = asks_for_usage and request.is_streamed and self._sends_usage_option
        try:
            return self._send(request, call, stack, asks_for_usage=asks_for_usage)
        except faults.RetryDifferently as refusal:
            if call.attempt_count >= MAX_ATTEMPTS:
                raise refusal.fault from refusal
            return self._open_again(request, call, stack, refusal, asks_for_usage=asks_for_usage)

    def _open_again(
        self,
        request: UpstreamRequest,
        call: UpstreamCall,
        stack: ExitStack,
        refusal: faults.RetryDifferently,
        *,
        asks_for_usage: bool,
    ) -> tuple[UpstreamResponse, Permit]:
        """Send a request in the form that the upstream accepts, and remember it if that helped."""
        if isinstance(refusal, faults.StreamOptionsRejected):
            opened = self.open(request, call, stack, asks_for_usage=False)
            # Remembered only now: the refusal may have had another reason that names the option.
            self._sends_usage_option = False
            return opened
        if isinstance(refusal, FormRejected):
            again = replace(request, body=refusal.form.applied(request.body, request.defaults))
            with self._forms.learning(request.body["model"], refusal.form):
                return self.open(again, call, stack, asks_for_usage=asks_for_usage)
        if request.is_streamed:
            raise refusal.fault from refusal
        streamed = replace(request, body=request.body | {"stream": True})
        opened = self.open(streamed, call, stack)
        self.streamed_models.add(request.body["model"])
        return opened

    def _send(
        self,
        request: UpstreamRequest,
        call: UpstreamCall,
        stack: ExitStack,
        *,
        asks_for_usage: bool,
    ) -> tuple[UpstreamResponse, Permit]:
        body = request.body
        if asks_for_usage:
            body = body | {"stream_options": {"include_usage": True}}
        with ExitStack() as sending:
            endpoint, permit = sending.enter_context(self._endpoints.acquire(call, body))
            sending.enter_context(call.attempt(self._name, endpoint.name, body["model"]))
            path = PATHS[request.operation]
            response = sending.enter_context(
                endpoint.transport.post(path, orjson.dumps(body), call)
            )
            if response.status_code != requests.codes.ok:
                text = read_body(response)
                fault = request.classifier.of_status(response, text)
                if asks_for_usage and is_usage_refused(response, text):
                    raise faults.StreamOptionsRejected(fault)
                if response.status_code in _REFUSALS:
                    form = form_after(fault.error, text, body, request.defaults)
                    if form is not None:
                        raise FormRejected(fault, form)
                raise fault
            stack.push(sending.pop_all())
        return response, permit
