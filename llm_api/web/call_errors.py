"""The errors of calls of models in the API document, beside those of all routes.

Keys, budgets and repeats cause some, whatever is called; the others come from upstreams of chats.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from llm_api.domain.access import TOKENS
from llm_api.domain.budget_periods import DAY
from llm_api.domain.calls import IMAGE, VIDEO, Operation
from llm_api.errors import ApiError, InvalidRequest
from llm_api.services.field_names import of_prompt
from llm_api.services.idempotency import key_reused
from llm_api.services.keys.guess_limit import too_many_guesses
from llm_api.services.quotas.budgets import budget_away, without_price
from llm_api.services.quotas.exceeded import over_budget, over_concurrency
from llm_api.services.routing.prompt_models import NO_MODEL
from llm_api.services.routing.wrong_kinds import made_elsewhere
from llm_api.upstream.faults import (
    bad_response,
    circuit_open,
    overloaded,
    timed_out,
    too_large,
    while_connecting,
    while_waiting,
)
from llm_api.upstream.vendors.error_body import VendorError
from llm_api.upstream.vendors.error_meanings import REASONS, Refusal, of_plain_status
from llm_api.upstream.vendors.errors import without_path
from llm_api.web.documented_errors import (
    MODEL_FORBIDDEN,
    NO_SUCH_MODEL,
    RATE_LIMITED,
    ROUTE_FORBIDDEN,
)

# Of budgets and repeats, whatever is called, also for several calls at once.
OF_BUDGETS: Sequence[ApiError] = (
    key_reused(),
    without_price("CNY"),
    over_budget(DAY, TOKENS),
    budget_away(),
)
# Of keys, too.
OF_CALLERS: Sequence[ApiError] = (
    *OF_BUDGETS,
    ROUTE_FORBIDDEN,
    too_many_guesses(wait=1.0),
    MODEL_FORBIDDEN,
    over_concurrency(1, "key.concurrent_requests"),
)
# Of every connection to an upstream.
OF_CONNECTIONS: Sequence[ApiError] = tuple(
    while_connecting(error).error
    for error in (ConnectionRefusedError(), socket.gaierror(), ssl.SSLError(), TimeoutError())
)
LEFT_ALONE = circuit_open(wait=5.0).error
# Of models of the catalogue that have no chats.
OF_OTHER_KINDS: Sequence[ApiError] = (made_elsewhere(VIDEO), made_elsewhere(IMAGE))
# What upstreams of chats mean, in the words of `error_meanings`.
_MEANINGS = (
    *("content_filtered", "context_length_exceeded", "media_unsupported", "upstream_rejected"),
    *("upstream_account", "upstream_auth", "upstream_rate_limited", "upstream_starting"),
    "upstream_unavailable",
)
_REDIRECT, _FAILURE = 302, 500


def of_chats(operation: Operation = Operation.CHAT) -> Sequence[ApiError]:
    """Return what is answered where an upstream that was asked for an operation fails."""
    said = [_meant(meaning, operation) for meaning in _MEANINGS]
    # All profiles say that it may be another time.
    fetched = _meant("image_fetch_failed", operation).replaced(retryable=True)
    plain = [of_plain_status(Refusal(one, VendorError())) for one in (_REDIRECT, _FAILURE)]
    return (
        *said,
        fetched,
        *plain,
        *OF_CONNECTIONS,
        LEFT_ALONE,
        overloaded(),
        while_waiting(ConnectionResetError()).error,
        bad_response("an answer that is not JSON").error,
        too_large().error,
        timed_out().error,
    )


def call_examples(operation: Operation = Operation.CHAT) -> Sequence[ApiError]:
    """Return the examples of a route that calls a chat model for an operation."""
    return (*OF_CALLERS, NO_SUCH_MODEL, RATE_LIMITED, *OF_OTHER_KINDS, *of_chats(operation))


def text_examples(operation: Operation) -> Sequence[ApiError]:
    """Return the examples of a route that many upstreams do not have, for its operation."""
    return (*call_examples(operation), without_path(operation), NO_MODEL)


def configured_missing() -> ApiError:
    """Return the error of a model that the caller has not named, and its upstream does not have."""
    return _meant("model_missing", Operation.CHAT, model_was_named=False)


def _meant(meaning: str, operation: Operation, *, model_was_named: bool = True) -> ApiError:
    refusal = Refusal(400, VendorError(), operation, model_was_named)
    return REASONS[meaning](refusal)


def in_words(
    own: Callable[[InvalidRequest], InvalidRequest], errors: Iterable[ApiError]
) -> Sequence[ApiError]:
    """Return errors of chats as a route has them whose callers send no messages."""
    return [own(error) if isinstance(error, InvalidRequest) else error for error in errors]


def of_rewriting(pictures: str = "prompt") -> Sequence[ApiError]:
    """Return the errors of a prompt that is rewritten before anything else.

    Args:
        pictures: the field of those that the model is shown with it.
    """
    # The configured model rewrites it.
    return in_words(partial(of_prompt, pictures=pictures), (configured_missing(), *of_chats()))


OF_REWRITING = of_rewriting()
