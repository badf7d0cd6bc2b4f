"""The client of one upstream: whole and streamed answers, with limited concurrency."""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TypeVar

from llm_api.domain.calls import Caller, Completion, ModelRequest, Operation
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.errors import NotFound
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream import faults, probes
from llm_api.upstream.answers import relay
from llm_api.upstream.answers.relayed_answer import RelayedAnswer
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http import response_body
from llm_api.upstream.http.sse import is_event_stream
from llm_api.upstream.http.transport import Transport
from llm_api.upstream.preparation import RequestPreparation
from llm_api.upstream.request_sender import RequestSender, UpstreamRequest
from llm_api.upstream.resilience.circuit_breaker import CircuitOpen
from llm_api.upstream.resilience.endpoint_pool import new_pool
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.profiles import Profile

logger = logging.getLogger(__name__)

SILENCE = 15.0
_TICK_S = 5.0  # how often a silence is compared with SILENCE
_DRAIN_S = 0.02
_T = TypeVar("_T")


class UpstreamClient:
    """Calls one upstream; the `Upstream` of OpenAI-compatible HTTP APIs."""

    def __init__(  # noqa: PLR0913  # the last three are for who simulates the world
        self,
        plan: UpstreamPlan,
        behavior: UpstreamBehavior,
        timeouts: Timeouts,
        watch: DeadlineWatcher,
        profile: Profile,
        *,
        policy: RetryPolicy | None = None,
        transport: Callable[[Endpoint, Timeouts, DeadlineWatcher, int], Transport] = Transport,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a client without connections.

        Args:
            plan: endpoints and default model.
            behavior: how this upstream has to be called.
            timeouts: how long it may take, in seconds.
            watch: ends calls from outside.
            profile: what the vendor takes, and what its errors mean.
            policy: when failed attempts are repeated.
            transport: creates what calls an endpoint.
            clock: monotonic time in seconds.
        """
        self.name, self.default_model = behavior.name, plan.model
        self.serves_one_model, self.profile_name = behavior.serves_one_model, profile.name
        self.vision = behavior.seeing(profile.vision)
        self.has_json_mode = profile.json_modes is None or "json_object" in profile.json_modes
        self._behavior, self._timeouts = behavior, timeouts
        self._must_end = watch.drain.is_expired
        self._preparation = RequestPreparation(profile, behavior, plan.endpoints)
        self._policy, self._clock = policy or RetryPolicy(), clock
        self._incoming = partial(response_body.IncomingBody, idle=timeouts.idle, clock=clock)
        pool_size = min(behavior.max_concurrency, behavior.max_idle)

        def connect(endpoint: Endpoint) -> Transport:
            return transport(endpoint, timeouts, watch, pool_size)

        self.endpoints = new_pool(plan, behavior, profile.name, self._policy, connect)
        self._sender = RequestSender(self.name, self.endpoints)

    def new_call(
        self,
        is_disconnected: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        *,
        is_streamed: bool = False,
        time_limit: float | None = None,
        caller: Caller | None = None,
    ) -> UpstreamCall:
        """Start the clock of a call; see Upstream."""
        total = self._timeouts.stream if is_streamed else self._timeouts.total
        return UpstreamCall(
            total=total if time_limit is None else min(total, time_limit),
            has_client_deadline=time_limit is not None and time_limit < total,
            is_disconnected=is_disconnected,
            must_end=self._must_end,
            on_first_attempt=on_first_attempt,
            caller=caller,
            clock=self._clock,
        )

    def complete(
        self,
        model: str,
        request: ModelRequest,
        call: UpstreamCall,
        *,
        model_was_named: bool = True,
    ) -> Completion:
        """Return the whole answer of a model.

        A model that has spent all its tokens on reasoning is asked once more, without it.
        """
        is_streamed = self._behavior.is_always_streamed or model in self._sender.streamed_models
        prepare = partial(
            self._preparation.prepared,
            model,
            request,
            model_was_named=model_was_named,
            is_streamed=is_streamed,
        )
        return self._in_a_form(prepare, call, partial(self._completed, call))

    def _in_a_form(
        self,
        prepare: Callable[[], UpstreamRequest],
        call: UpstreamCall,
        answer: Callable[[UpstreamRequest], _T],
    ) -> _T:
        """Ask in the form that is prepared, and as a chat where the upstream does not know that."""
        prepared = prepare()
        try:
            return answer(prepared)
        except NotFound as error:
            is_unknown = error.reason == "not_supported"
            if not (is_unknown and prepared.operation is Operation.RESPONSES):
                raise
            self._preparation.learn_only_chats(prepared.body["model"])
            if not call.allows_attempt:
                raise
        return answer(prepare())

    def _completed(self, call: UpstreamCall, prepared: UpstreamRequest) -> Completion:
        with _ApiErrors(call), self.endpoints.slot(call):
            completion = self._run(prepared, call, partial(self._attempt, prepared, call))
            if completion.has_only_reasoned and not prepared.wants_reasoning:
                completion = self._without_reasoning(prepared, call, completion)
        if prepared.dropped:
            return replace(completion, dropped=prepared.dropped)
        return completion

    def _run(self, request: UpstreamRequest, call: UpstreamCall, attempt: Callable[[], _T]) -> _T:
        has_other = partial(self.endpoints.has_other, call, request.body)
        return self._policy.run(call, attempt, has_other)

    def _without_reasoning(
        self, request: UpstreamRequest, call: UpstreamCall, empty: Completion
    ) -> Completion:
        body = self._preparation.without_reasoning(request.body)
        if body is None or not call.allows_attempt:
            return empty
        call.record_rejection("spent_on_thinking")
        try:
            completion = self._attempt(replace(request, body=body), call)
        except (faults.Fault, CircuitOpen) as error:
            if (ending := call.ending) is not None:
                raise ending from error
            logger.info("no answer without reasoning", extra={"cause": type(error).__name__})
            return empty
        return replace(completion, usage=empty.usage.plus(completion.usage))

    def stream(
        self,
        model: str,
        request: ModelRequest,
        call: UpstreamCall,
        *,
        model_was_named: bool = True,
        shows_usage: bool = False,
    ) -> relay.RelayedStream:
        """Wait for the first batch of a streamed answer; see Upstream."""
        prepare = partial(
            self._preparation.prepared,
            model,
            request,
            model_was_named=model_was_named,
            is_streamed=True,
        )
        return self._in_a_form(prepare, call, partial(self._opened, call, shows_usage=shows_usage))

    def _opened(
        self, call: UpstreamCall, prepared: UpstreamRequest, *, shows_usage: bool
    ) -> relay.RelayedStream:
        answer = prepared.new_stream(shows_usage=shows_usage)
        return relay.RelayedStream(answer, self._streamed(prepared, call, answer), prepared.dropped)

    def _streamed(
        self, request: UpstreamRequest, call: UpstreamCall, answer: RelayedAnswer
    ) -> relay.Surroundings:
        """Yield the first batch of a streamed answer, which has a chunk, and what has the others.

        See SuspendedBatches.
        """
        with (
            _ApiErrors(call),
            self.endpoints.slot(call),
            self._run(request, call, partial(self._sender.open, request, call)) as opened,
            closing(
                self._incoming(
                    opened.response, tick=_TICK_S, max_bytes=response_body.MAX_STREAM_BYTES
                )
            ) as body,
        ):
            if is_event_stream(body):
                relayed = relay.Relay(body.next_piece, answer, SILENCE, body.hasten, self._clock)
                first, others = relayed.first_batch(), relayed.next_batch
            else:
                first, others = relay.relay_whole(body.rest(), answer), relay.no_others
            call.record_first_token()
            opened.permit.succeed()
            yield first, call.trace_stream(answer, first, others)
            self._drain(body)
            ending = call.ending  # an end that our own watch has made
            if ending is not None and (call.is_client_gone or not answer.is_complete):
                raise ending

    def _attempt(self, request: UpstreamRequest, call: UpstreamCall) -> Completion:
        with self._sender.open(request, call) as opened:
            call.record_first_token()
            response = opened.response
            if request.operation is Operation.EMBEDDINGS or response_body.is_plain(response):
                completion = request.read_answer(response_body.read_body(response))
            else:
                completion = self._read_pieces(request, response)
            if call.trace is not None:
                call.trace_answer(completion)
            return completion

    def _read_pieces(
        self, request: UpstreamRequest, response: response_body.UpstreamResponse
    ) -> Completion:
        with closing(self._incoming(response, tick=_TICK_S)) as body:
            if not is_event_stream(body):
                return request.read_answer(body.rest())
            answer = request.new_stream()
            pieces = iter(body.next_piece, None)
            events = relay.events_in(pieces, answer, body.hasten, self._clock)
            completion = request.collect(events, answer)
            self._drain(body)
            return completion

    def _drain(self, body: response_body.IncomingBody) -> None:
        if self._behavior.keeps_alive:
            body.drain(_DRAIN_S)

    def probe(self) -> str:
        """Check the health of the upstream: `ok`, `starting`, or in one word what is wrong."""
        return probes.health_of(self.endpoints.first.transport, self._behavior)

    def models(self) -> list[str] | None:
        """Ask for the names of its models; None where it does not say."""
        return probes.listed_models(self.endpoints.first.transport)

    def close(self) -> None:
        """Close the idle connections."""
        self.endpoints.close()


class _ApiErrors:
    """Turns a Fault inside a `with` into the error that the caller gets."""

    __slots__ = ("_call",)

    def __init__(self, call: UpstreamCall) -> None:
        self._call = call

    def __enter__(self) -> None:
        """Do nothing yet."""

    def __exit__(self, _: object, fault: BaseException | None, __: object) -> None:
        """Raise the caller's error."""
        if not isinstance(fault, faults.Fault):
            return
        error = fault.error
        if self._call.attempt_count > 1 and not error.retries_exhausted:
            error = error.replaced(retries_exhausted=True)
        raise error from fault
