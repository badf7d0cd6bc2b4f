"""Answers requests to models: chat completions, text completions and embeddings."""

from collections.abc import Generator
from typing import Self

from llm_api.domain import Caller, Completion, ModelRequest
from llm_api.services.catalogue import Catalogue
from llm_api.services.usage import UsageLedger
from llm_api.upstream.chunks import StreamedAnswer


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
        destination = self._catalogue.route(request.model)
        with self._ledger.account(destination, caller) as accounted:
            completion = destination.upstream.complete(
                destination.model,
                request.parameters,
                accounted.upstream_call,
                request.operation,
                model_was_named=request.model is not None,
            )
            accounted.completions.append(completion)
        return completion

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
        destination = self._catalogue.route(request.model)
        model_was_named = request.model is not None
        answer = StreamedAnswer(
            request.operation,
            model=destination.model,
            shows_usage=shows_usage,
            model_was_named=model_was_named,
        )
        with self._ledger.account(destination, caller, is_streamed=True) as accounted:
            accounted.streamed = (request, answer)
            yield from destination.upstream.stream(
                destination.model,
                request.parameters,
                accounted.upstream_call,
                answer,
                model_was_named=model_was_named,
            )
