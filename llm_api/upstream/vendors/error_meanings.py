"""What each meaning of an upstream's error is answered with."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llm_api.domain.calls import Operation
from llm_api.errors import (
    ApiError,
    FieldError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
    UpstreamFault,
)
from llm_api.upstream.faults import timed_out
from llm_api.upstream.vendors.blamed_fields import CAP, blamed_field
from llm_api.upstream.vendors.error_body import VendorError
from llm_api.upstream.vendors.redaction import redacted
from llm_api.upstream.vendors.token_sums import blames_cap, blames_prompt

ONLY_STREAMS = "only_streams"
# Of a limit that no wait lifts: a spent account, a day's quota, a call larger than a minute's.
QUOTA_SPENT = (
    "The request exceeds what is left of the model service's quota; waiting does not help, tell the"
    " operator."
)
_TEXT_FIELDS = {
    Operation.CHAT: "messages",
    Operation.TEXT: "prompt",
    Operation.EMBEDDINGS: "input",
    Operation.RESPONSES: "input",
}
_FIELDS_OF_TOOLS = frozenset(["function_call", "functions", "parallel_tool_calls", "tool_choice"])
_REQUEST = re.compile(
    r"\b(?:images?|pictures?|prompts?|messages?|inputs?|urls?|files?|tools?|parameters?)\b"
    r"|图片|文件|文本|输入|提示词|参数",
    re.IGNORECASE,
)
_MODEL = re.compile(r"\bmodels?\b|模型", re.IGNORECASE)
_DENIED = re.compile(
    r"access_?denied|unauthori[sz]ed|permission|forbidden|not_?allowed", re.IGNORECASE
)
_ACCESSIBLE = re.compile(r"\bmodels?\b|\bendpoint ep-|模型|接入点", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as the upstream sent it; `sent` must not reach the caller unredacted.

    `cap_field` is the caller's own name for the cap on tokens, `wait` for how many seconds the
    upstream asks not to be called.
    """

    status: int
    sent: VendorError
    operation: Operation = Operation.CHAT
    model_was_named: bool = True
    cap_field: str = "max_tokens"
    wait: int | None = None


def of_plain_status(refusal: Refusal) -> ApiError:
    """Return the error where no rule knows the upstream's words."""
    status = refusal.status
    # What speaks of one model, one text or one picture speaks of no key.
    if status == 403 and _MODEL.search(refusal.sent.words):
        return _model_missing(refusal)
    if status == 403 and _REQUEST.search(" ".join(refusal.sent.sentences)):
        return _rejected(refusal)
    if status in _OF_STATUS:
        return _OF_STATUS[status](refusal)
    if 300 <= status < 400:
        return _redirected(refusal)
    return _rejected(refusal) if status < 500 else _failed(refusal)


def _redirected(_: Refusal) -> ApiError:
    message = "The model service answered with a redirect, which is not followed."
    return UpstreamFault(message, reason="upstream_redirect")


def _failed(_: Refusal) -> ApiError:
    message = "The model service failed."
    return UpstreamFault(message, reason="upstream_error", retryable=True)


def _timed_out(_: Refusal) -> ApiError:
    return timed_out().error


def _content_filtered(_: Refusal) -> ApiError:
    message = "The model service's content filter refused the request."
    return InvalidRequest(message, reason="content_filtered")


def _too_long(refusal: Refusal) -> ApiError:
    # Where there is a code, it decides.
    is_cap = blames_cap(refusal.sent.words) and "context" not in refusal.sent.code_words.lower()
    return _cap_too_large(refusal) if is_cap else _overflow(refusal)


def _cap_or_sum(refusal: Refusal) -> ApiError:
    is_prompt = blames_prompt(refusal.sent.words)
    return _overflow(refusal) if is_prompt else _cap_too_large(refusal)


def _overflow(refusal: Refusal) -> ApiError:
    return InvalidRequest.of_field(
        _TEXT_FIELDS[refusal.operation],
        # LangChain knows the case by the words "prompt is too long".
        "must be shorter: the prompt is too long for the model's context.",
        reason="context_length_exceeded",
    )


def _cap_too_large(refusal: Refusal) -> ApiError:
    said = redacted(refusal.sent.message)
    sentence = "must be smaller: it is more than this model can write, or has room for."
    return InvalidRequest.of_field(
        refusal.cap_field,
        f"{sentence} The model service says: {said}" if said else sentence,
        reason="upstream_rejected",
    )


def _image_not_fetched(refusal: Refusal) -> ApiError:
    return InvalidRequest.of_field(
        _TEXT_FIELDS[refusal.operation],
        "must name pictures that the model service can download in time.",
        reason="image_fetch_failed",
    )


def _media_unsupported(refusal: Refusal) -> ApiError:
    return InvalidRequest.of_field(
        _TEXT_FIELDS[refusal.operation],
        "must be text for this model, which takes no pictures, sound, videos or files of this kind;"
        " leave them out, or choose a model that takes them.",
        reason="not_supported",
    )


def _tools_unsupported(refusal: Refusal) -> ApiError:
    blamed = blamed_field(refusal.sent) or ""
    return InvalidRequest.of_field(
        blamed if blamed in _FIELDS_OF_TOOLS else "tools",
        "must be left out for this model, which cannot call them, or not of this kind; or choose a"
        " model that can.",
        reason="not_supported",
    )


def _too_large(refusal: Refusal) -> ApiError:
    return InvalidRequest.of_field(
        _TEXT_FIELDS[refusal.operation],
        "must be smaller: the request has more bytes than the model service takes.",
        reason="upstream_rejected",
    )


def _rejected(refusal: Refusal) -> ApiError:
    said = redacted(refusal.sent.message)
    blamed = _blamed_field(refusal)
    message = (
        f"The model service refused the request as invalid: {said}"
        if said
        else "The model service refused the request as invalid: a parameter is one that this"
        " model does not accept."
    )
    fields = [FieldError(blamed, said or "is not accepted by this model.")] if blamed else []
    return InvalidRequest(message, reason="upstream_rejected", fields=fields)


def _blamed_field(refusal: Refusal) -> str | None:
    """Return the field that the upstream blames, in the caller's name for it."""
    name = blamed_field(refusal.sent)
    return refusal.cap_field if name is not None and CAP.fullmatch(name) else name


def _account(_: Refusal) -> ApiError:
    message = "The model service refused this service's account; tell the operator."
    return UpstreamFault(message, reason="upstream_account")


def _key_or_model(refusal: Refusal) -> ApiError:
    """Return the error of a code such as AccessDenied: the sentence says to what."""
    is_vague = refusal.status == 403 and _DENIED.search(refusal.sent.code_words) is not None
    if is_vague and _ACCESSIBLE.search(" ".join(refusal.sent.sentences)):
        return _model_missing(refusal)
    return _auth(refusal)


def _auth(_: Refusal) -> ApiError:
    message = "The model service refused this service's key; tell the operator."
    return UpstreamFault(message, reason="upstream_auth")


def _model_missing(refusal: Refusal) -> ApiError:
    if refusal.model_was_named:
        return NotFound.of_field(
            "model", "must be a model the model service has.", reason="model_not_found"
        )
    return UpstreamFault(
        "The model service does not have the configured model; tell the operator.",
        reason="upstream_model_missing",
    )


def _rate_limited(refusal: Refusal) -> ApiError:
    return RateLimited(
        "The model service is limiting the rate of requests; try again later.",
        reason="upstream_rate_limited",
        retry_after=max(refusal.wait or 0, 1),
    )


def _unavailable(refusal: Refusal) -> ApiError:
    return Unavailable(
        "The model service is unavailable at the moment.",
        reason="upstream_unavailable",
        retry_after=max(refusal.wait or 0, 1),
    )


def _starting(_: Refusal) -> ApiError:
    return Unavailable(
        "The model service is starting; try again in a few seconds.",
        reason="upstream_starting",
        retry_after=5,
    )


_OF_STATUS: Mapping[int, Callable[[Refusal], ApiError]] = {
    401: _auth,
    402: _account,
    403: _auth,
    404: _model_missing,
    408: _timed_out,
    413: _too_large,
    429: _rate_limited,
    503: _unavailable,
    504: _timed_out,
    529: _unavailable,
}
# The meanings that a rule can give to an error.
REASONS: Mapping[str, Callable[[Refusal], ApiError]] = {
    "cap_too_large": _cap_or_sum,
    "content_filtered": _content_filtered,
    "context_length_exceeded": _too_long,
    "image_fetch_failed": _image_not_fetched,
    "media_unsupported": _media_unsupported,
    "model_missing": _model_missing,
    ONLY_STREAMS: _rejected,  # if it cannot be asked again
    "tools_unsupported": _tools_unsupported,
    "upstream_account": _account,
    "upstream_auth": _key_or_model,
    "upstream_rate_limited": _rate_limited,
    "upstream_rejected": _rejected,
    "upstream_starting": _starting,
    "upstream_unavailable": _unavailable,
}
