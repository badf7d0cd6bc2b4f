"""Every way an upstream can fail, as one of our errors.

The texts are ours: an upstream's own can carry account ids, endpoint ids and prompts.
Codes of the vendors: DashScope https://help.aliyun.com/zh/model-studio/error-code,
Volcengine Ark https://www.volcengine.com/docs/82379/1299023, llama.cpp tools/server/README.md.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import orjson
import requests
import urllib3.exceptions

from llm_api.domain import Operation
from llm_api.errors import (
    ApiError,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServiceError,
    Unavailable,
    UpstreamFault,
    UpstreamTimeout,
)

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
_MAX_RETRY_AFTER = 60


class Fault(Exception):
    """An attempt failed: the error to answer with, and whether another attempt makes sense."""

    def __init__(self, error: ApiError, *, is_repeatable: bool = False) -> None:
        """Take the answer the caller gets if this attempt was the last."""
        super().__init__(error.message)
        self.error = error
        self.is_repeatable = is_repeatable


class UsageRefused(Exception):
    """The upstream does not know `stream_options`: to be asked again without."""


class ClientGone(ServiceError):
    """The client hung up while the upstream was at work; nobody reads this answer."""

    status = 499

    def __init__(self) -> None:
        """Make the error."""
        super().__init__("The client closed the connection.", reason="client_closed")


def bad_response(what: str) -> Fault:
    """Make the fault for an answer that is not what the API promises."""
    return Fault(
        UpstreamFault(
            f"The model service sent {what}.", reason="upstream_bad_response", retryable=True
        )
    )


def too_large() -> Fault:
    """Make the fault for an answer over the byte cap."""
    return Fault(
        UpstreamFault(
            "The model service sent more than this service accepts.", reason="upstream_too_large"
        )
    )


def truncated() -> Fault:
    """Make the fault for a stream that ended before the answer did."""
    message = "The model service ended its answer before it was complete."
    return Fault(UpstreamFault(message, reason="upstream_truncated", retryable=True))


def timed_out() -> Fault:
    """Make the fault for an upstream that was silent or slow for too long; it is not repeated."""
    return Fault(
        UpstreamTimeout("The model service did not answer in time.", reason="upstream_timeout")
    )


def overloaded() -> Unavailable:
    """Make the error for a call that found all places at the upstream taken."""
    return Unavailable(
        "The model service has no free place at the moment; try again shortly.",
        reason="overloaded",
        retry_after=1,
    )


def while_connecting(error: Exception) -> Fault:
    """Translate what was raised before a connection stood."""
    if isinstance(error, ssl.SSLError | ssl.CertificateError | urllib3.exceptions.SSLError):
        return Fault(
            UpstreamFault(
                "The model service's TLS certificate could not be verified.", reason="upstream_tls"
            )
        )
    if isinstance(error, urllib3.exceptions.NameResolutionError | socket.gaierror):
        message = "The model service's host name could not be resolved."
        return Fault(Unavailable(message, reason="upstream_dns", retry_after=5), is_repeatable=True)
    # urllib3 derives its error for a refused connection from the one for a slow connection.
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError | TimeoutError) and not is_refused:
        message = "The model service could not be reached in time."
        return Fault(UpstreamTimeout(message, reason="connect_timeout"), is_repeatable=True)
    message = "The model service could not be reached."
    unreachable = Unavailable(message, reason="upstream_unreachable", retry_after=5)
    return Fault(unreachable, is_repeatable=True)


def while_waiting(error: Exception) -> Fault:
    """Translate what was raised between sending the request and the first byte of the answer."""
    if isinstance(error, TimeoutError):
        return timed_out()
    if isinstance(error, http.client.RemoteDisconnected | OSError):
        message = "The model service closed the connection without an answer."
        disconnected = UpstreamFault(message, reason="upstream_disconnected", retryable=True)
        return Fault(disconnected, is_repeatable=True)
    return bad_response("an answer that is not HTTP")


def while_reading(error: Exception) -> Fault:
    """Translate what was raised after the first byte; none of it is repeated."""
    if isinstance(error, TimeoutError | urllib3.exceptions.ReadTimeoutError):
        return timed_out()
    if isinstance(error, urllib3.exceptions.DecodeError):
        # Layers of compression multiply: urllib3 refuses more than five of them.
        is_bomb = "too many content encodings" in str(error).lower()
        return too_large() if is_bomb else bad_response("a body that could not be decompressed")
    if isinstance(error, http.client.IncompleteRead | OSError | urllib3.exceptions.ProtocolError):
        message = "The model service closed the connection in the middle of its answer."
        return Fault(UpstreamFault(message, reason="upstream_disconnected", retryable=True))
    return bad_response("an answer that is not HTTP")


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
    if status in {502, 503, 504}:
        return Fault(_unavailable(status, code, response.headers), is_repeatable=True)
    return Fault(of_code(status, code, response.headers, model_was_named=model_was_named))


def of_code(
    status: int, code: str, headers: Mapping[str, str], *, model_was_named: bool
) -> ApiError:
    """Choose the error by the upstream's own code first, then by its status."""
    if _CONTENT_FILTERED.search(code):
        return InvalidRequest(
            "The model service's content filter refused the request.", reason="content_filtered"
        )
    if _CONTEXT_OVERFLOW.search(code):
        return InvalidRequest.of_field(
            "messages",
            # LangChain knows the case by the words "prompt is too long".
            "must be shorter: the prompt is too long for the model's context.",
            reason="context_length_exceeded",
        )
    if _OVERLOADED.search(code):
        return _unavailable(503, code, headers)
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
    if status == 408:
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


def _unavailable(status: int, code: str, headers: Mapping[str, str]) -> ApiError:
    if status == 504:
        return timed_out().error
    if "Loading model" in code:
        return Unavailable(
            "The model service is starting; try again in a few seconds.",
            reason="upstream_starting",
            retry_after=5,
        )
    if status == 502:
        message = "The model service failed."
        return UpstreamFault(message, reason="upstream_error", retryable=True)
    return Unavailable(
        "The model service is unavailable at the moment.",
        reason="upstream_unavailable",
        retry_after=_retry_after(headers) or 1,
    )


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Read `Retry-After` in seconds, brought into the 1 to 60 that every SDK honours."""
    text = headers.get("Retry-After", "")
    return min(max(int(text), 1), _MAX_RETRY_AFTER) if re.fullmatch(r"\d{1,9}", text) else None


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
