"""Answers requests to models: chat completions, text completions and embeddings."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from llm_api.domain.calls import (
    Caller,
    CallReport,
    CallResult,
    Completion,
    Fallback,
    ModelRequest,
    Operation,
)
from llm_api.services.prompt_chat import PromptChat
from llm_api.services.quotas.estimates import estimate_request
from llm_api.services.routing.catalogue import Catalogue, Destination, call_with_fallbacks
from llm_api.services.routing.prompt_models import PREFIX
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.relay import (
    Surroundings,
    SuspendedBatches,
    no_others,
    relay_whole,
)


class AnswerStream(SuspendedBatches):
    """The chunks of a streamed answer, each as JSON, in batches as they come in.

    A batch without any chunk stands for a silence, in which the client should get a keep-alive.
    The next batch can raise ApiError. `report` is what is known of the call when its answer begins.
    Closing a stream that has not ended counts as its client giving it up. `operation` tells the
    form of the chunks: RESPONSES are events of that API, to a request that has that form, too.
    """

    report: CallReport
    operation: Operation = Operation.CHAT

    def __init__(
        self,
        ledger: UsageLedger,
        destination: Destination,
        request: ModelRequest,
        caller: Caller,
        *,
        shows_usage: bool,
    ) -> None:
        """Wait for the first batch; raises ApiError. `shows_usage` adds a chunk with the usage."""
        super().__init__(
            self._accounted(ledger, destination, request, caller, shows_usage=shows_usage)
        )

    def _accounted(
        self,
        ledger: UsageLedger,
        destination: Destination,
        request: ModelRequest,
        caller: Caller,
        *,
        shows_usage: bool,
    ) -> Surroundings:
        estimate = partial(estimate_request, request)
        with ledger.account(destination, caller, estimate, is_streamed=True) as accounted:
            stream, fallback = call_with_fallbacks(
                destination,
                accounted.call,
                partial(accounted.stream, request=request, shows_usage=shows_usage),
            )
            self.report = accounted.report(fallback)
            self.operation = stream.operation
            with closing(stream):
                first = stream.next_batch() or []
                if fallback is not None:
                    first[0] = _saying(fallback, first[0])
                yield first, stream.next_batch


class WholeStream(AnswerStream):
    """The chunks of an answer that was whole before its stream began."""

    def __init__(self, result: CallResult[Completion], *, shows_usage: bool) -> None:
        """Stream an answer; `shows_usage` adds a chunk with the usage."""
        self.report = result.report
        self.operation = Operation.CHAT
        answer = StreamedAnswer(shows_usage=shows_usage)
        SuspendedBatches.__init__(self, _at_once(relay_whole(result.answer.body, answer)))


class ChatService:
    """Sends requests to the upstreams of their models and accounts for the calls."""

    def __init__(
        self, catalogue: Catalogue, ledger: UsageLedger, prompts: PromptChat | None = None
    ) -> None:
        """Create the service.

        Args:
            catalogue: decides where a call goes.
            ledger: accounts for calls.
            prompts: answers chats whose model's name stands for the optimizer.
        """
        self._catalogue = catalogue
        self._ledger = ledger
        self._prompts = prompts

    def complete(self, request: ModelRequest, caller: Caller) -> CallResult[Completion]:
        """Return the whole answer to `request`, for which `caller` pays; raises ApiError."""
        # Without a function of its own: every call comes by.
        if request.model is not None and request.model.startswith(PREFIX) and self._prompts:
            return self._prompts.complete(request, caller)
        # Vectors of two models cannot be compared: only the model's own entry may name a fallback.
        is_exact = request.operation is Operation.EMBEDDINGS
        destination = self._catalogue.route(request.model, key=caller.key, is_exact=is_exact)
        estimate = partial(estimate_request, request)
        with self._ledger.account(destination, caller, estimate) as accounted:
            completion, fallback = call_with_fallbacks(
                destination, accounted.call, partial(accounted.complete, request=request)
            )
        if fallback is not None:
            completion = _with_fallback(completion, fallback)
        return CallResult(completion, accounted.report(fallback))

    def stream(
        self, request: ModelRequest, caller: Caller, *, shows_usage: bool = False
    ) -> CallResult[AnswerStream]:
        """Return the answer as it comes in; raises ApiError if it does not begin.

        `shows_usage` adds a last chunk with the usage.
        """
        if request.model is not None and request.model.startswith(PREFIX) and self._prompts:
            # Nothing of a rewrite can be sent before all of it was checked.
            result = self._prompts.complete(request, caller)
            whole = WholeStream(result, shows_usage=shows_usage)
            return CallResult(whole, whole.report)
        destination = self._catalogue.route(request.model, key=caller.key)
        stream = AnswerStream(self._ledger, destination, request, caller, shows_usage=shows_usage)
        return CallResult(stream, stream.report)

    def count_tokens(self, request: ModelRequest, caller: Caller) -> int:
        """Estimate the tokens of a prompt, for who may use its model; none is called.

        Raises ApiError.
        """
        name = request.model
        if name is not None and name.startswith(PREFIX) and self._prompts:
            self._prompts.require(name, caller)
        else:
            self._catalogue.route(name, key=caller.key)
        return estimate_request(request).prompt_tokens


def _at_once(chunks: list[bytes]) -> Surroundings:
    yield chunks, no_others


def _with_fallback(completion: Completion, fallback: Fallback) -> Completion:
    """Name in the answer the model that was requested and the one that was used."""
    document = {**completion.document, **_described(fallback)}
    return replace(completion, document=document, body=orjson.dumps(document))


def _saying(fallback: Fallback, first: bytes) -> bytes:
    """Name the same in the first chunk, or in the response of the first event."""
    chunk = orjson.loads(first)
    chunk.get("response", chunk).update(_described(fallback))
    return orjson.dumps(chunk)


def _described(fallback: Fallback) -> Mapping[str, Any]:
    return {
        "fallback": {
            "asked": {
                "upstream": fallback.requested_upstream,
                "model": fallback.requested_model,
            },
            "used": {"upstream": fallback.used_upstream, "model": fallback.used_model},
            "reason": fallback.reason,
        }
    }
