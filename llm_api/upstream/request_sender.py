"""Sends a request in the form that an upstream takes, and remembers which that is."""

from contextlib import ExitStack
from dataclasses import replace

import orjson
import requests

from llm_api.upstream import faults
from llm_api.upstream.ask import UpstreamRequest
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.endpoints import EndpointPool
from llm_api.upstream.http.response_body import read_body
from llm_api.upstream.resilience.retry_policy import ATTEMPTS_IN_ALL, Permit
from llm_api.upstream.vendors import errors


class RequestSender:
    """Opens answers at one upstream."""

    def __init__(self, name: str, lines: EndpointPool) -> None:
        """Take the upstream's name and its lines."""
        self._name = name
        self._lines = lines
        self._sends_usage_option = True  # until the upstream refuses it
        self._streamed_models: set[str] = set()  # those found to answer streamed calls only

    def only_streams(self, model: str) -> bool:
        """Tell whether a model is known to answer streamed calls only."""
        return model in self._streamed_models

    def open(
        self, ask: UpstreamRequest, call: UpstreamCall, stack: ExitStack
    ) -> tuple[requests.Response, Permit]:
        """Send a request and return its answer, status 200, which the stack closes."""
        asks_for_usage = ask.is_streamed and self._sends_usage_option
        try:
            return self._send(ask, call, stack, asks_for_usage=asks_for_usage)
        except faults.RetryDifferently as refusal:
            if call.attempts >= ATTEMPTS_IN_ALL:
                raise refusal.fault from refusal
            return self._open_again(ask, call, stack, refusal)

    def _open_again(
        self,
        ask: UpstreamRequest,
        call: UpstreamCall,
        stack: ExitStack,
        refusal: faults.RetryDifferently,
    ) -> tuple[requests.Response, Permit]:
        """Send a request in the form that the upstream takes, and remember that if it helped."""
        if isinstance(refusal, faults.StreamOptionsRejected):
            opened = self._send(ask, call, stack, asks_for_usage=False)
            # Remembered only now: the refusal may have had another reason that names the option.
            self._sends_usage_option = False
            return opened
        if ask.is_streamed:
            raise refusal.fault from refusal
        streamed = replace(ask, body=ask.body | {"stream": True})
        opened = self.open(streamed, call, stack)
        self._streamed_models.add(ask.body["model"])
        return opened

    def _send(
        self, ask: UpstreamRequest, call: UpstreamCall, stack: ExitStack, *, asks_for_usage: bool
    ) -> tuple[requests.Response, Permit]:
        body = ask.body
        if asks_for_usage:
            body = body | {"stream_options": {"include_usage": True}}
        with ExitStack() as sending:
            line, permit = sending.enter_context(self._lines.chosen(call))
            sending.enter_context(call.attempt(self._name, line.name, body["model"]))
            response = sending.enter_context(
                line.transport.post(ask.operation, orjson.dumps(body), call)
            )
            if response.status_code != requests.codes.ok:
                text = read_body(response)
                if asks_for_usage and errors.is_usage_refused(response, text):
                    raise faults.StreamOptionsRejected(ask.reader.of_status(response, text))
                raise ask.reader.of_status(response, text)
            stack.push(sending.pop_all())
        return response, permit
