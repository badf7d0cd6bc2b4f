"""Answers chat completions."""

from llm_api.domain import Caller, ChatRequest, Completion
from llm_api.services.catalogue import Catalogue
from llm_api.services.usage import UsageLedger


class ChatService:
    """Sends a conversation to the upstream of its model and accounts for the call."""

    def __init__(self, catalogue: Catalogue, ledger: UsageLedger) -> None:
        """Take what decides where calls go, and what accounts for them."""
        self._catalogue = catalogue
        self._ledger = ledger

    def complete(self, request: ChatRequest, caller: Caller) -> Completion:
        """Return the answer; raises ApiError."""
        destination = self._catalogue.route(request.model)
        with self._ledger.account(destination, caller) as accounted:
            completion = destination.upstream.complete(
                destination.model,
                request.parameters,
                accounted.upstream_call,
                model_was_named=request.model is not None,
            )
            accounted.completions.append(completion)
        return completion
