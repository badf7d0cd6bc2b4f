"""Goes from one model to the next until one answers."""

from collections.abc import Callable
from typing import TypeVar

from llm_api.domain.calls import Fallback, ResponseMetadata
from llm_api.errors import ApiError
from llm_api.services.routing.catalogue import Destination
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import ClientGone, ShuttingDown
from llm_api.upstream.resilience.retry_policy import ATTEMPTS_IN_ALL

_T = TypeVar("_T")


def call_with_fallbacks(
    destination: Destination,
    call: UpstreamCall,
    notes: ResponseMetadata,
    ask: Callable[[Destination], _T],
) -> _T:
    """Ask at the destination, and where that fails at its fallbacks, in order.

    A conversation that is too long for a model goes to the one that its catalogue entry names for
    that. What was refused for itself, such as by a content filter, is asked nowhere else. Raises
    the ApiError of the destination where no fallback answers either.
    """
    candidate, rest = destination, list(destination.fallbacks)
    first: ApiError | None = None
    while True:
        try:
            answer = ask(candidate)
        except ApiError as error:
            if isinstance(error, ClientGone | ShuttingDown):
                raise
            following = _next(error, candidate, rest, call)
            if following is None:
                raise _told(first, error, call) from error
            first, candidate = first or error, following
        else:
            notes.dropped = call.dropped
            if first is not None:
                notes.fallback = _fallback(destination, candidate, first)
            return answer


def _next(
    error: ApiError, candidate: Destination, rest: list[Destination], call: UpstreamCall
) -> Destination | None:
    if call.attempts >= ATTEMPTS_IN_ALL or not call.remaining:
        return None
    if error.reason == "context_length_exceeded":
        return candidate.longer_context
    return rest.pop(0) if error.allows_failover and rest else None


def _told(first: ApiError | None, last: ApiError, call: UpstreamCall) -> ApiError:
    """Choose what the caller is told: how the model did that was asked for."""
    if first is None:
        return last
    first.retries_exhausted = first.retries_exhausted or call.attempts > 0
    return first


def _fallback(asked: Destination, used: Destination, error: ApiError) -> Fallback:
    return Fallback(
        asked_upstream=asked.upstream.name,
        asked_model=asked.model,
        used_upstream=used.upstream.name,
        used_model=used.model,
        reason=error.reason,
    )
