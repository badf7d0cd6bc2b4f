"""Calls a model, and others in order while it fails."""

from collections.abc import Callable
from typing import TypeVar

from llm_api.domain.calls import Fallback
from llm_api.errors import ApiError
from llm_api.services.routing.catalogue import Destination
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import ClientGone, ShuttingDown

_T = TypeVar("_T")


def call_with_fallbacks(
    destination: Destination, call: UpstreamCall, attempt: Callable[[Destination], _T]
) -> tuple[_T, Fallback | None]:
    """Call the destination, and its fallbacks in order while they fail.

    A conversation that is too long for a model goes to the one that its catalogue entry names for
    that. A request that was itself refused, such as by a content filter, is sent nowhere else.

    Args:
        destination: where the call goes first.
        call: limits attempts and time over all destinations.
        attempt: makes the call at a destination; raises ApiError.

    Returns:
        The answer, and which fallback gave it; None if the destination itself answered.

    Raises:
        ApiError: of the destination, if no fallback answers either.
    """
    candidate, rest = destination, list(destination.fallbacks)
    first: ApiError | None = None
    while True:
        try:
            answer = attempt(candidate)
        except (ClientGone, ShuttingDown):
            raise
        except ApiError as error:
            following = _next(error, candidate, rest, call)
            if following is None:
                raise _final(first, error, call) from error
            first, candidate = first or error, following
        else:
            return answer, None if first is None else _fallback(destination, candidate, first)


def _next(
    error: ApiError, candidate: Destination, rest: list[Destination], call: UpstreamCall
) -> Destination | None:
    if not call.allows_attempt:
        return None
    if error.reason == "context_length_exceeded":
        return candidate.longer_context
    return rest.pop(0) if error.allows_failover and rest else None


def _final(first: ApiError | None, last: ApiError, call: UpstreamCall) -> ApiError:
    """Choose the error for the caller: how the requested model failed."""
    if first is None:
        return last
    return first.replaced(retries_exhausted=first.retries_exhausted or call.attempt_count > 0)


def _fallback(requested: Destination, used: Destination, error: ApiError) -> Fallback:
    return Fallback(
        requested_upstream=requested.upstream.name,
        requested_model=requested.model,
        used_upstream=used.upstream.name,
        used_model=used.model,
        reason=error.reason,
    )
