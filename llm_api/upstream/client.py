"""The door to one upstream: chat completions, with a bound on concurrency and one repeat."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import requests

from llm_api.domain import Completion, Endpoint, Operation, Timeouts, Timing
from llm_api.upstream import faults, refusals
from llm_api.upstream.answers import parse_answer
from llm_api.upstream.body import IncomingBody, read_body
from llm_api.upstream.breaker import Outcome
from llm_api.upstream.call import Call
from llm_api.upstream.chunks import StreamedAnswer, events_of
from llm_api.upstream.collect import collect_chunks
from llm_api.upstream.policy import Permit, RetryPolicy
from llm_api.upstream.relay import events_in, relay
from llm_api.upstream.traits import UpstreamTraits
from llm_api.upstream.transport import Transport
from llm_api.watch import Watch

SILENCE = 15.0
_TICK_S = 5.0  # how often it is seen whether a silence has lasted so long
_DRAIN_S = 0.02
_PROBE_TIMEOUT = 3.0


class UpstreamClient:
    """Calls one upstream."""

    def __init__(
        self,
        endpoint: Endpoint,
        traits: UpstreamTraits,
        timeouts: Timeouts,
        watch: Watch,
        *,
        policy: RetryPolicy | None = None,
    ) -> None:
        """Open no connection yet."""
        self.name = traits.name
        self.default_model = endpoint.model
        self.serves_one_model = traits.serves_one_model
        self._traits = traits
        self._timeouts = timeouts
        self._policy = policy or RetryPolicy()
        self._sends_usage_option = True  # until the upstream refuses it
        self._places = threading.BoundedSemaphore(traits.max_concurrency)
        self._transport = Transport(endpoint, timeouts, watch, min(traits.max_concurrency, 128))

    def new_call(
        self,
        is_abandoned: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        timing: Timing | None = None,
        *,
        is_streamed: bool = False,
        time_limit: float | None = None,
    ) -> Call:
        """Begin a call: its total time-out runs from now; `time_limit` can only shorten it."""
        total = self._timeouts.stream if is_streamed else self._timeouts.total
        return Call(
            total=total if time_limit is None else min(total, time_limit),
            is_abandoned=is_abandoned,
            on_first_attempt=on_first_attempt,
            timing=timing,
        )

    def complete(
        self,
        model: str,
        parameters: Mapping[str, Any],
        call: Call,
        operation: Operation = Operation.CHAT,
        *,
        model_was_named: bool = True,
    ) -> Completion:
        """Ask for one answer; `parameters` is the OpenAI request body without `model`.

        Raises an ApiError.
        """
        ask = _Ask(operation, self._body(model, parameters, operation), model_was_named)
        with _as_api_errors(), self._place(call):
            return self._policy.run(call, partial(self._attempt, ask, call))

    def stream(
        self,
        model: str,
        parameters: Mapping[str, Any],
        call: Call,
        answer: StreamedAnswer,
        *,
        model_was_named: bool = True,
    ) -> Iterator[list[bytes]]:
        """Ask for one answer and yield its chunks, as JSON, in batches as they come in.

        The first batch has a chunk; a later one without any stands for `SILENCE` seconds of
        silence. What becomes known of the answer is noted in `answer`. Raises an ApiError: before
        the first batch if nothing has come by then.
        """
        body = self._body(model, parameters, answer.operation) | {"stream": True}
        ask = _Ask(answer.operation, body, model_was_named)
        with _as_api_errors(), ExitStack() as stack:
            stack.enter_context(self._place(call))
            response, permit = self._policy.run(call, partial(self._open, ask, call, stack))
            batches = self._batches(response, answer)
            first = next((batch for batch in batches if batch), None)
            if first is None:
                raise faults.bad_response("an empty stream")
            call.note_first_token()
            permit.note(Outcome.GOOD)
            yield first
            yield from batches
            if call.is_client_gone:  # an end that our own watch has made
                raise faults.Fault(faults.ClientGone())

    def _body(
        self, model: str, parameters: Mapping[str, Any], operation: Operation
    ) -> dict[str, Any]:
        body = {"model": model, **parameters}
        if operation is Operation.EMBEDDINGS:
            return body
        if self._traits.default_max_tokens and not (
            body.get("max_tokens") or body.get("max_completion_tokens")
        ):
            body["max_tokens"] = self._traits.default_max_tokens
        if self._traits.is_always_streamed:
            body["stream"] = True
        return body

    @contextmanager
    def _place(self, call: Call) -> Iterator[None]:
        has_waited = not self._places.acquire(blocking=False)
        if has_waited:
            began_at = time.monotonic()
            wait = min(self._traits.queue_timeout, call.remaining)
            has_place = self._places.acquire(timeout=wait)
            call.timing.queue += time.monotonic() - began_at
            if not has_place:
                raise faults.overloaded()
        try:
            if has_waited:
                call.check()
            if call.is_client_gone:  # nobody looked for it while it waited
                raise faults.ClientGone
            yield
        finally:
            self._places.release()

    def _attempt(self, ask: "_Ask", call: Call) -> Completion:
        with ExitStack() as stack:
            response, _ = self._open(ask, call, stack)
            call.note_first_token()
            if _is_event_stream(response) and ask.operation is not Operation.EMBEDDINGS:
                body = self._incoming(response)
                events = events_in(body.pieces())
                completion = collect_chunks(
                    events, ask.operation, model_was_named=ask.model_was_named
                )
                self._drain(body)
                return completion
            return parse_answer(
                read_body(response),
                ask.operation,
                model=ask.body["model"],
                model_was_named=ask.model_was_named,
            )

    def _open(self, ask: "_Ask", call: Call, stack: ExitStack) -> tuple[requests.Response, Permit]:
        """Send a request and return its answer, status 200, which the stack closes."""
        asks_for_usage = bool(ask.body.get("stream")) and self._sends_usage_option
        try:
            return self._send(ask, call, stack, asks_for_usage=asks_for_usage)
        except faults.UsageRefused:
            opened = self._send(ask, call, stack, asks_for_usage=False)
        # Remembered only now: the refusal may have had another reason that names the option.
        self._sends_usage_option = False
        return opened

    def _send(
        self, ask: "_Ask", call: Call, stack: ExitStack, *, asks_for_usage: bool
    ) -> tuple[requests.Response, Permit]:
        body = ask.body
        if asks_for_usage:
            body = body | {"stream_options": {"include_usage": True}}
        with ExitStack() as sending:
            permit = sending.enter_context(self._policy.permitted())
            sending.enter_context(call.attempt())
            response = sending.enter_context(
                self._transport.post(ask.operation, orjson.dumps(body), call)
            )
            if response.status_code != requests.codes.ok:
                text = read_body(response)
                if asks_for_usage and refusals.is_usage_refused(response, text):
                    raise faults.UsageRefused
                raise refusals.of_status(
                    response, text, ask.operation, model_was_named=ask.model_was_named
                )
            stack.push(sending.pop_all())
        return response, permit

    def _batches(
        self, response: requests.Response, answer: StreamedAnswer
    ) -> Iterator[list[bytes]]:
        if not _is_event_stream(response):
            completion = parse_answer(
                read_body(response), answer.operation, model_was_named=answer.model_was_named
            )
            events = events_of(completion.document, answer.operation)
            chunks = [chunk for event in events if (chunk := answer.take(event)) is not None]
            yield chunks + answer.end()
            return
        body = self._incoming(response)
        yield from relay(body.pieces(), answer, SILENCE)
        self._drain(body)

    def _drain(self, body: IncomingBody) -> None:
        if self._traits.keeps_alive:
            body.drain(_DRAIN_S)

    def _incoming(self, response: requests.Response) -> IncomingBody:
        return IncomingBody(response, idle=self._timeouts.idle, tick=_TICK_S)

    def probe(self) -> str:
        """Ask the upstream whether it is there: `ok`, `starting`, or what is wrong in a word."""
        try:
            status = self._transport.get_status(self._traits.probe_path, timeout=_PROBE_TIMEOUT)
        except faults.Fault as fault:
            return fault.error.reason
        if status in {401, 403}:
            return "upstream_auth"
        if status == requests.codes.service_unavailable and self._traits.serves_one_model:
            return "starting"
        return "ok" if status < requests.codes.server_error else "upstream_error"

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is sent to the upstream."""

    operation: Operation
    body: dict[str, Any]
    model_was_named: bool


@contextmanager
def _as_api_errors() -> Iterator[None]:
    """Turn a Fault into the error that the caller gets."""
    try:
        yield
    except faults.Fault as fault:
        raise fault.error from fault


def _is_event_stream(response: requests.Response) -> bool:
    kind = response.headers.get("Content-Type", "")
    return kind.lower().startswith("text/event-stream")
