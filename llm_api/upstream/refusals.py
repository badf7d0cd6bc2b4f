"""What an upstream says when it answers with an error, as one of ours.

Codes of the vendors: DashScope https://help.aliyun.com/zh/model-studio/error-code,
Volcengine Ark https://www.volcengine.com/docs/82379/1299023, llama.cpp tools/server/README.md.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
import requests

from llm_api.domain import Operation
from llm_api.errors import (
    ApiError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
    UpstreamFault,
)
from llm_api.upstream.faults import MAX_RETRY_AFTER, Fault, timed_out

_TEXT_FIELDS = {
    Operation.CHAT: "messages",
    Operation.TEXT: "prompt",
    Operation.EMBEDDINGS: "input",
}
_REPEATED = frozenset([408, 429, 500, 502, 503, 504])
_CONTENT_FILTERED = re.compile(
    r"data_?inspection_?failed|sensitive_?content|risk_?detection|content_filter", re.IGNORECASE
)
_CONTEXT_OVERFLOW = re.compile(
    r"exceed_context_size|context_length_exceeded|out_?of_?context|maximum context length"
    r"|range of input length",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"arrearage|account_?overdue|unpurchased|quota_?exceeded", re.IGNORECASE)
_SPENT_QUOTA = re.compile(r"insufficient_quota|set_?limit_?exceeded|quota_?exceeded", re.IGNORECASE)
_MODEL = re.compile(r"model|endpoint", re.IGNORECASE)
_OVERLOADED = re.compile(r"server_?overloaded", re.IGNORECASE)
# Where an error came without a status of its own, its code stands for one.
_STATUS_OF_WORD = (
    (re.compile(r"invalid_?api_?key|authentication_?error|access_?denied", re.IGNORECASE), 401),
    (re.compile(r"model_?not_?(found|open)|InvalidEndpointOrModel", re.IGNORECASE), 404),
    (re.compile(r"throttling|limit_(requests|burst)|rate_?limit|quota", re.IGNORECASE), 429),
)


def is_usage_refused(response: requests.Response, body: bytes) -> bool:
    """Tell whether a request was refused because it asked for the usage of a stream."""
    words = re.compile(rb"stream_options|include_usage", re.IGNORECASE)
    return response.status_code in {400, 422} and words.search(body) is not None


def of_status(
    response: requests.Response,
    body: bytes,
    operation: Operation = Operation.CHAT,
    *,
    model_was_named: bool,
) -> Fault:
    """Translate an answer whose status is not 200."""
    status = response.status_code
    code = error_code(body)
    if operation is not Operation.CHAT and _is_unknown_path(status, code):
        return Fault(
            NotFound(
                f"The model service has no {operation}; another model may have it.",
                reason="not_supported",
            )
        )
    error = of_code(status, code, response.headers, operation, model_was_named=model_was_named)
    wait = _asked_wait(response.headers)
    # SDKs ignore a longer Retry-After than they are used to, and come too early.
    error.is_spent = wait is not None and wait > MAX_RETRY_AFTER
    return Fault(error, is_repeatable=status in _REPEATED and error.retryable, wait=wait)


def of_code(
    status: int,
    code: str,
    headers: Mapping[str, str],
    operation: Operation = Operation.CHAT,
    *,
    model_was_named: bool,
) -> ApiError:
    """Choose the error by the upstream's own code first, then by its status."""
    if _CONTENT_FILTERED.search(code):
        return InvalidRequest(
            "The model service's content filter refused the request.", reason="content_filtered"
        )
    if _CONTEXT_OVERFLOW.search(code):
        return InvalidRequest.of_field(
            _TEXT_FIELDS[operation],
            # LangChain knows the case by the words "prompt is too long".
            "must be shorter: the prompt is too long for the model's context.",
            reason="context_length_exceeded",
        )
    if _OVERLOADED.search(code):
        return _unavailable(code, headers)
    if status != 429 and _ACCOUNT.search(code):
        return UpstreamFault(
            "The model service refused this service's account; tell the operator.",
            reason="upstream_account",
        )
    return _of_plain_status(status, code, headers, model_was_named=model_was_named)


def _of_plain_status(
    status: int, code: str, headers: Mapping[str, str], *, model_was_named: bool
) -> ApiError:
    if 300 <= status < 400:
        message = "The model service answered with a redirect, which is not followed."
        return UpstreamFault(message, reason="upstream_redirect")
    if status in {401, 403}:
        message = "The model service refused this service's key; tell the operator."
        return UpstreamFault(message, reason="upstream_auth")
    if status == 404:
        return _model_missing(model_was_named=model_was_named)
    if status in {408, 504}:
        return timed_out().error
    if status == 429:
        return RateLimited(
            "The model service is limiting the rate of requests; try again later.",
            reason="upstream_rate_limited",
            retryable=not _SPENT_QUOTA.search(code),
            retry_after=_retry_after(headers) or 1,
        )
    if 400 <= status < 500:
        return InvalidRequest(
            "The model service refused the request as invalid: a parameter is one that"
            " this model does not accept.",
            reason="upstream_rejected",
        )
    if status == 503:
        return _unavailable(code, headers)
    message = "The model service failed."
    return UpstreamFault(message, reason="upstream_error", retryable=True)


def _model_missing(*, model_was_named: bool) -> ApiError:
    if model_was_named:
        return NotFound.of_field(
            "model", "must be a model the model service has.", reason="model_not_found"
        )
    return UpstreamFault(
        "The model service does not have the configured model; tell the operator.",
        reason="upstream_model_missing",
    )


def _is_unknown_path(status: int, code: str) -> bool:
    return status in {405, 501} or (status == 404 and not _MODEL.search(code))


def _unavailable(code: str, headers: Mapping[str, str]) -> ApiError:
    if "Loading model" in code:
        return Unavailable(
            "The model service is starting; try again in a few seconds.",
            reason="upstream_starting",
            retry_after=5,
        )
    return Unavailable(
        "The model service is unavailable at the moment.",
        reason="upstream_unavailable",
        retry_after=_retry_after(headers) or 1,
    )


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Read `Retry-After` in seconds, brought into the 1 to 60 that every SDK honours."""
    wait = _asked_wait(headers)
    return None if wait is None else min(max(wait, 1), MAX_RETRY_AFTER)


def _asked_wait(headers: Mapping[str, str]) -> int | None:
    """Read for how many seconds an upstream asks to be left alone."""
    text = headers.get("Retry-After", "")
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


def status_of_words(code: str) -> int:
    """Return the status that an error code is usually sent with, 500 for an unknown one."""
    return next((status for words, status in _STATUS_OF_WORD if words.search(code)), 500)


def error_code(body: bytes) -> str:
    """Collect the words an error body identifies itself with; only patterns ever look at them."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    error: Any = document.get("error", document) if isinstance(document, dict) else {}
    if not isinstance(error, dict):
        return str(error)
    return " ".join(str(error.get(name, "")) for name in ("code", "type", "message"))
