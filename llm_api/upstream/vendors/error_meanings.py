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
from llm_api.upstream.vendors.error_body import VendorError
from llm_api.upstream.vendors.redaction import redacted

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
}
_FIELD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\[\d{1,4}\]|\.[a-z][a-z0-9_]*){0,8}")
_QUOTED_FIELD = re.compile(rf"[`'\"](?:body\.)?({_FIELD.pattern})[`'\"]")
# What a refusal names that is no field: values and kinds of values.
_NO_FIELDS = frozenset(
    ["true", "false", "null", "none", "auto", "required", "string", "object", "array", "number",
     "integer", "boolean", "user", "system", "assistant", "developer", "tool", "text", "json",
     "image_url", "json_object", "json_schema", "error", "body"]
)  # fmt: skip
_MODEL = re.compile(r"\bmodels?\b|模型", re.IGNORECASE)
_CAP = re.compile(r"max_?(?:completion_?|output_?|new_?)?tokens|max tokens", re.IGNORECASE)
_CAP_BLAMED = re.compile(
    rf"(?:{_CAP.pattern})(?![a-z_])[^.;]{{0,60}}?(?:too (?:large|high|big)|exceed|greater|larger"
    r"|more than|must be|should be|at most|less than|range|value of|\d >"
    r"|非法|超出|超过|范围|过大|不能|大于)"
    rf"|(?:range of|invalid|过大的?|超过)\W{{0,3}}(?:{_CAP.pattern})"
    r"|(?:output|completion) tokens?[^.;]{0,40}(?:exceed|too (?:large|many)|at most)"
    r"|at most \d+ completion tokens",
    re.IGNORECASE,
)
_NUMBER = r"(\d[\d,]*)"
# How many tokens the prompt has and how many may be written, in messages that add them up.
_PROMPT_PART = re.compile(
    rf"{_NUMBER}\W{{0,2}} ?(?:tokens )?(?:in|from|of)? ?(?:the |your )?(?:text |input )?"
    r"(?:messages|prompt|inputs?)\b",
    re.IGNORECASE,
)
_OUTPUT_PART = re.compile(
    rf"{_NUMBER}\W{{0,2}} ?(?:tokens )?(?:in|for)? ?(?:the |your )?(?:completion|output"
    r"|max_new_tokens|max_tokens|max_completion_tokens)\b",
    re.IGNORECASE,
)
_SUM = re.compile(rf"{_NUMBER} \+ {_NUMBER} > {_NUMBER}")


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
    if status == 403 and _MODEL.search(refusal.sent.words):
        return _model_missing(refusal)  # it speaks of one model, and of no key
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
    is_cap = _is_cap_larger(refusal.sent.words)
    if is_cap is None:
        is_cap = _CAP_BLAMED.search(refusal.sent.words) is not None
    # Where there is a code, it decides.
    is_cap = is_cap and "context" not in refusal.sent.code_words.lower()
    return _cap_too_large(refusal) if is_cap else _overflow(refusal)


def _cap_or_sum(refusal: Refusal) -> ApiError:
    is_prompt = _is_cap_larger(refusal.sent.words) is False
    return _overflow(refusal) if is_prompt else _cap_too_large(refusal)


def _overflow(refusal: Refusal) -> ApiError:
    return InvalidRequest.of_field(
        _TEXT_FIELDS[refusal.operation],
        # LangChain knows the case by the words "prompt is too long".
        "must be shorter: the prompt is too long for the model's context.",
        reason="context_length_exceeded",
    )


def _is_cap_larger(words: str) -> bool | None:
    """Whether the cap on tokens is larger than the prompt; None if a message does not say both.

    Their sum is what is too large, and the larger part is to blame.
    """
    if (both := _SUM.search(words)) is not None:
        return _count(both[2]) > _count(both[1])
    prompt, output = _PROMPT_PART.search(words), _OUTPUT_PART.search(words)
    if prompt is None or output is None:
        return None
    return _count(output[1]) > _count(prompt[1])


def _count(digits: str) -> int:
    return int(digits.replace(",", "")[:18])


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


def _tools_unsupported(_: Refusal) -> ApiError:
    return InvalidRequest.of_field(
        "tools",
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
    name = refusal.sent.param
    if name is None or not _FIELD.fullmatch(name):
        quoted = (found[1] for found in _QUOTED_FIELD.finditer(refusal.sent.message))
        name = next((one for one in quoted if one not in _NO_FIELDS and "_" in one), None)
    if name is None or len(name) > 60:
        return None
    return refusal.cap_field if _CAP.fullmatch(name) else name


def _account(_: Refusal) -> ApiError:
    message = "The model service refused this service's account; tell the operator."
    return UpstreamFault(message, reason="upstream_account")


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
    "upstream_auth": _auth,
    "upstream_rate_limited": _rate_limited,
    "upstream_rejected": _rejected,
    "upstream_starting": _starting,
    "upstream_unavailable": _unavailable,
}
