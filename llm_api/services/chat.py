"""Answers requests to models: chat completions, text completions and embeddings."""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, Self

import orjson

from llm_api.domain.calls import Caller, Completion, Fallback, ModelRequest, Operation
from llm_api.services.quotas.estimates import estimate_request
from llm_api.services.routing.catalogue import Catalogue, Destination
from llm_api.services.routing.fallback import call_with_fallbacks
from llm_api.services.usage.ledger import AccountedCall, UsageLedger


class AnswerStream:
    """The chunks of a streamed answer, each as JSON, in batches as they come in.

    The first batch has been looked at. A later one without any chunk stands for a silence that a
    client should be told of. Iterating raises ApiError; `close` ends the call.
    """

    def __init__(self, batches: Generator[list[bytes]]) -> None:
        """Wait for the first batch; raises ApiError."""
        self._batches = batches
        self._first: list[list[bytes]] = [next(batches)]

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> list[bytes]:
        """Return the next batch."""
        return self._first.pop() if self._first else next(self._batches)

    def close(self) -> None:
        """Let go of the upstream; a call that has not ended counts as given up by its client."""
        self._batches.close()


class ChatService:
    """Sends a request to the upstream of its model and accounts for the call."""

    def __init__(self, catalogue: Catalogue, ledger: UsageLedger) -> None:
        """Take what decides where calls go, and what accounts for them."""
        self._catalogue = catalogue
        self._ledger = ledger

    def complete(self, request: ModelRequest, caller: Caller) -> Completion:
        """Return the answer; raises ApiError."""
        # Vectors of two models cannot be compared: only who names one for the other knows better.
        is_exact = request.operation is Operation.EMBEDDINGS
        destination = self._catalogue.route(request.model, key=caller.key, is_exact=is_exact)
        with self._ledger.account(
            destination, caller, partial(estimate_request, request)
        ) as accounted:
            call = accounted.upstream_call

            def ask(at: Destination) -> Completion:
                return at.upstream.complete(
                    at.model,
                    request.parameters,
                    call,
                    request.operation,
                    model_was_named=at.model_was_named,
                )

            completion = call_with_fallbacks(destination, call, caller.notes, ask)
            accounted.completions.append(completion)
        return _telling(completion, caller.notes.fallback)

    def stream(
        self, request: ModelRequest, caller: Caller, *, shows_usage: bool = False
    ) -> AnswerStream:
        """Return the answer as it comes in; raises ApiError where it does not begin.

        `shows_usage` puts a chunk with the usage at the end.
        """
        return AnswerStream(self._batches(request, caller, shows_usage=shows_usage))

    def _batches(
        self, request: ModelRequest, caller: Caller, *, shows_usage: bool
    ) -> Generator[list[bytes]]:
        destination = self._catalogue.route(request.model, key=caller.key)
        wanted = partial(estimate_request, request)
        with self._ledger.account(destination, caller, wanted, is_streamed=True) as accounted:

            def begin(at: Destination) -> tuple[list[bytes], Generator[list[bytes]]]:
                return _begun(request, at, accounted, shows_usage=shows_usage)

            first, batches = call_with_fallbacks(
                destination, accounted.upstream_call, caller.notes, begin
            )
            if (fallback := caller.notes.fallback) is not None:
                first[0] = orjson.dumps(orjson.loads(first[0]) | _shown(fallback))
            with closing(batches):
                yield first
                yield from batches


def _begun(
    request: ModelRequest, at: Destination, accounted: AccountedCall, *, shows_usage: bool
) -> tuple[list[bytes], Generator[list[bytes]]]:
    """Wait for the first batch of a stream, and return it with the rest; raises ApiError."""
    answer = at.upstream.new_answer(
        request.operation,
        model=at.model,
        shows_usage=shows_usage,
        model_was_named=at.model_was_named,
    )
    batches = at.upstream.stream(at.model, request.parameters, accounted.upstream_call, answer)
    first = next(batches)
    accounted.streamed = (request, answer)  # before that there is no answer to account for
    return first, batches


def _telling(completion: Completion, fallback: Fallback | None) -> Completion:
    """Name both models in the answer where another than the one asked for has given it."""
    if fallback is None:
        return completion
    document = {**completion.document, **_shown(fallback)}
    return replace(completion, document=document, body=orjson.dumps(document))


def _shown(fallback: Fallback) -> Mapping[str, Any]:
    return {
        "fallback": {
            "asked": {"upstream": fallback.asked_upstream, "model": fallback.asked_model},
            "used": {"upstream": fallback.used_upstream, "model": fallback.used_model},
            "reason": fallback.reason,
        }
    }
