"""Sends a request in the form that an upstream accepts, and remembers that form."""

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import requests

from llm_api.domain.calls import Operation
from llm_api.upstream import faults
from llm_api.upstream.call import MAX_ATTEMPTS, UpstreamCall
from llm_api.upstream.endpoints import EndpointPool
from llm_api.upstream.http.response_body import read_body
from llm_api.upstream.resilience.circuit_breaker import Permit
from llm_api.upstream.vendors.errors import ErrorClassifier, is_usage_refused
from llm_api.upstream.vendors.profiles import PATHS


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request as the vendor takes it.

    `classifier` reads the errors it is answered with; `dropped` are the caller's fields that the
    vendor does not take; `wants_reasoning` says that the caller asked the model to reason.
    """

    operation: Operation
    body: dict[str, Any]
    classifier: ErrorClassifier = field(repr=False)
    dropped: tuple[str, ...] = ()
    wants_reasoning: bool = False

    @property
    def is_streamed(self) -> bool:
        """Whether the answer is to come as a stream."""
        return bool(self.body.get("stream"))

    @property
    def max_tokens(self) -> int | None:
        """The most tokens that the model can write; None if nothing limits it."""
        limit = self.body.get("max_completion_tokens") or self.body.get("max_tokens")
        return limit * (self.body.get("n") or 1) if limit else None


class RequestSender:
    """Sends requests to one upstream."""

    def __init__(self, name: str, endpoints: EndpointPool) -> None:
        """Create the sender of the upstream `name`."""
        self._name = name
        self._endpoints = endpoints
        self._sends_usage_option = True  # until the upstream refuses it
        self.streamed_models: set[str] = set()  # those found to answer streamed calls only

    def open(
        self, request: UpstreamRequest, call: UpstreamCall, stack: ExitStack
    ) -> tuple[requests.Response, Permit]:
        """Send a request and return its answer, status 200 and body unread, until `stack` closes.

        Raises faults.Fault or CircuitOpen.
        """
        asks_for_usage = request.is_streamed and self._sends_usage_option
        try:
            return self._send(request, call, stack, asks_for_usage=asks_for_usage)
        except faults.RetryDifferently as refusal:
            if call.attempt_count >= MAX_ATTEMPTS:
                raise refusal.fault from refusal
            return self._open_again(request, call, stack, refusal)

    def _open_again(
        self,
        request: UpstreamRequest,
        call: UpstreamCall,
        stack: ExitStack,
        refusal: faults.RetryDifferently,
    ) -> tuple[requests.Response, Permit]:
        """Send a request in the form that the upstream accepts, and remember it if that helped."""
        if isinstance(refusal, faults.StreamOptionsRejected):
            opened = self._send(request, call, stack, asks_for_usage=False)
            # Remembered only now: the refusal may have had another reason that names the option.
            self._sends_usage_option = False
            return opened
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
    ) -> tuple[requests.Response, Permit]:
        body = request.body
        if asks_for_usage:
            body = body | {"stream_options": {"include_usage": True}}
        with ExitStack() as sending:
            endpoint, permit = sending.enter_context(self._endpoints.acquire(call))
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
                raise fault
            stack.push(sending.pop_all())
        return response, permit
