"""The door to one upstream: answers whole and in streams, with a bound on concurrency."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import requests

from llm_api.domain.calls import Completion, Endpoint, Operation, Timeouts, Timing, UpstreamPlan
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import StreamedAnswer, events_of
from llm_api.upstream.answers.collect import collect_chunks
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.answers.reasoning import spent_on_thinking
from llm_api.upstream.answers.relay import events_in, first_of, relay
from llm_api.upstream.ask import UpstreamRequest
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.endpoints import EndpointPool, PooledEndpoint
from llm_api.upstream.http.response_body import IncomingBody, is_event_stream, read_body
from llm_api.upstream.http.transport import Transport
from llm_api.upstream.request_sender import RequestSender
from llm_api.upstream.resilience.circuit_breaker import CircuitOpen, Outcome
from llm_api.upstream.resilience.concurrency import UpstreamConcurrency
from llm_api.upstream.resilience.retry_policy import ATTEMPTS_IN_ALL, RetryPolicy
from llm_api.upstream.vendors.errors import ErrorClassifier
from llm_api.upstream.vendors.profiles import Profile, asks_for_thinking
from llm_api.upstream.vendors.traits import UpstreamBehavior

logger = logging.getLogger(__name__)

SILENCE = 15.0
_TICK_S = 5.0  # how often it is seen whether a silence has lasted so long
_DRAIN_S = 0.02
_PROBE_TIMEOUT = 3.0
_T = TypeVar("_T")


class UpstreamClient:
    """Calls one upstream."""

    def __init__(  # noqa: PLR0913  # the last two are for who simulates the world
        self,
        plan: UpstreamPlan,
        traits: UpstreamBehavior,
        timeouts: Timeouts,
        watch: DeadlineWatcher,
        profile: Profile,
        *,
        policy: RetryPolicy | None = None,
        transport: Callable[[Endpoint, Timeouts, DeadlineWatcher, int], Transport] = Transport,
    ) -> None:
        """Open no connection yet; `transport` makes what calls an endpoint."""
        self.name = traits.name
        self.default_model = plan.model
        self.serves_one_model = traits.serves_one_model
        self._traits = traits
        self._timeouts = timeouts
        self._must_end = watch.drain.is_expired
        self._profile = profile
        self._policy = policy or RetryPolicy()
        self.has_json_mode = profile.json_modes is None or "json_object" in profile.json_modes
        self._places = UpstreamConcurrency(traits.max_concurrency, traits.queue_timeout)
        self._lines = EndpointPool(
            [
                PooledEndpoint(
                    f"{traits.name}/{number}" if len(plan.endpoints) > 1 else traits.name,
                    transport(endpoint, timeouts, watch, min(traits.max_concurrency, 128)),
                    self._policy.new_breaker(),
                )
                for number, endpoint in enumerate(plan.endpoints, 1)
            ]
        )
        self._opener = RequestSender(self.name, self._lines)

    def new_call(
        self,
        is_abandoned: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        timing: Timing | None = None,
        *,
        is_streamed: bool = False,
        time_limit: float | None = None,
    ) -> UpstreamCall:
        """Begin a call: its total time-out runs from now; `time_limit` can only shorten it."""
        total = self._timeouts.stream if is_streamed else self._timeouts.total
        return UpstreamCall(
            total=total if time_limit is None else min(total, time_limit),
            has_client_deadline=time_limit is not None and time_limit < total,
            is_abandoned=is_abandoned,
            must_end=self._must_end,
            on_first_attempt=on_first_attempt,
            timing=timing,
        )

    def new_answer(
        self,
        operation: Operation = Operation.CHAT,
        *,
        model: str = "",
        shows_usage: bool = False,
        model_was_named: bool = True,
    ) -> StreamedAnswer:
        """Begin what becomes known of an answer that `stream` is to ask for."""
        return StreamedAnswer(
            operation,
            model=model,
            shows_usage=shows_usage,
            reader=self._reader(operation, model_was_named=model_was_named),
        )

    def complete(
        self,
        model: str,
        parameters: Mapping[str, Any],
        call: UpstreamCall,
        operation: Operation = Operation.CHAT,
        *,
        model_was_named: bool = True,
    ) -> Completion:
        """Ask for one answer; `parameters` is the OpenAI request body without `model`.

        A model that has spent its whole cap on thinking is asked once more, without. Raises an
        ApiError.
        """
        reader = self._reader(operation, model_was_named=model_was_named)
        body = self._body(model, parameters, operation, call)
        ask = UpstreamRequest(operation, body, reader, asks_for_thinking(parameters))
        with _as_api_errors(call), self._places.acquired(call):
            completion = self._run(call, partial(self._attempt, ask, call))
            if not ask.wants_thinking and spent_on_thinking(completion):
                return self._without_thinking(ask, call, completion)
            return completion

    def _run(self, call: UpstreamCall, attempt: Callable[[], _T]) -> _T:
        return self._policy.run(call, attempt, partial(self._lines.has_other, call))

    def _without_thinking(
        self, ask: UpstreamRequest, call: UpstreamCall, empty: Completion
    ) -> Completion:
        body = self._profile.without_thinking(ask.body)
        if body is None or call.attempts >= ATTEMPTS_IN_ALL:
            return empty
        call.tries[-1].reason = "spent_on_thinking"
        try:
            completion = self._attempt(replace(ask, body=body), call)
        except (faults.Fault, CircuitOpen) as error:
            if (ending := call.ending) is not None:
                raise ending from error
            logger.info("no answer without thinking", extra={"cause": type(error).__name__})
            return empty
        return replace(completion, usage=empty.usage.plus(completion.usage))

    def stream(
        self,
        model: str,
        parameters: Mapping[str, Any],
        call: UpstreamCall,
        answer: StreamedAnswer,
    ) -> Generator[list[bytes]]:
        """Ask for one answer and yield its chunks, as JSON, in batches as they come in.

        The first batch has a chunk; a later one without any stands for `SILENCE` seconds of
        silence. What becomes known of the answer is noted in `answer`. Raises an ApiError: before
        the first batch if nothing has come by then.
        """
        body = self._body(model, parameters, answer.operation, call) | {"stream": True}
        ask = UpstreamRequest(answer.operation, body, answer.reader)
        answer.cap = ask.cap
        with _as_api_errors(call), ExitStack() as stack:
            stack.enter_context(self._places.acquired(call))
            response, permit = self._run(call, partial(self._opener.open, ask, call, stack))
            batches = self._batches(response, answer)
            first = first_of(batches)
            call.note_first_token()
            permit.note(Outcome.GOOD)
            yield first
            yield from batches
            ending = call.ending  # an end that our own watch has made
            if ending is not None and (call.is_client_gone or not answer.is_done):
                raise ending

    def _reader(self, operation: Operation, *, model_was_named: bool) -> ErrorClassifier:
        return ErrorClassifier(self._profile.rules, operation, model_was_named)

    def _body(
        self, model: str, parameters: Mapping[str, Any], operation: Operation, call: UpstreamCall
    ) -> dict[str, Any]:
        adapted, call.dropped = self._profile.adapted(parameters, operation)
        body = {"model": model, **adapted}
        if operation is Operation.EMBEDDINGS:
            return body
        self._traits.cap(body)
        if self._traits.is_always_streamed or self._opener.only_streams(model):
            body["stream"] = True
        return body

    def _attempt(self, ask: UpstreamRequest, call: UpstreamCall) -> Completion:
        with ExitStack() as stack:
            response, _ = self._opener.open(ask, call, stack)
            call.note_first_token()
            if is_event_stream(response) and ask.operation is not Operation.EMBEDDINGS:
                body = self._incoming(response)
                events = events_in(body.pieces())
                completion = collect_chunks(events, ask.operation, ask.reader, ask.cap)
                self._drain(body)
                return completion
            return parse_answer(
                read_body(response),
                ask.operation,
                model=ask.body["model"],
                reader=ask.reader,
                cap=ask.cap,
            )

    def _batches(
        self, response: requests.Response, answer: StreamedAnswer
    ) -> Iterator[list[bytes]]:
        if not is_event_stream(response):
            completion = parse_answer(read_body(response), answer.operation, reader=answer.reader)
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
            transport = self._lines.first.transport
            status = transport.get_status(self._traits.probe_path, timeout=_PROBE_TIMEOUT)
        except faults.Fault as fault:
            return fault.error.reason
        if status in {401, 403}:
            return "upstream_auth"
        if status == requests.codes.service_unavailable and self._traits.serves_one_model:
            return "starting"
        return "ok" if status < requests.codes.server_error else "upstream_error"

    def close(self) -> None:
        """Close the idle connections."""
        self._lines.close()


@contextmanager
def _as_api_errors(call: UpstreamCall) -> Iterator[None]:
    """Turn a Fault into the error that the caller gets."""
    try:
        yield
    except faults.Fault as fault:
        fault.error.retries_exhausted |= call.attempts > 1
        raise fault.error from fault
