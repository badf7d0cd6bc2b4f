"""JSON and headers of an error, in the API dialect of the request's path.

It does not use Flask: gunicorn's worker also writes errors, for requests that the application does
not see.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, RateLimited

_OPENAI_TYPES = {
    "VALIDATION_ERROR": "invalid_request_error",
    "AUTHENTICATION_ERROR": "authentication_error",
    "RATE_LIMIT_EXCEEDED": "rate_limit_error",
    "SERVICE_ERROR": "server_error",
}
# https://platform.claude.com/docs/en/api/errors
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# Reasons for which Anthropic has a status that OpenAI has not.
_ANTHROPIC_STATUSES = {"insufficient_quota": 402, "overloaded": 529}
# Anthropic's SDKs wait for as long as they are told to, without a ceiling.
_LONGEST_WAIT_S = 60
_IMAGES = "/v1/images/"
# How OpenAI's image routes refuse a prompt or a picture, and what their clients look for.
_BLOCKED = {"type": "image_generation_user_error", "code": "moderation_blocked"}


def error_document(
    error: ApiError, path: str, request_id: str, more_details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the body of an error response.

    Args:
        error: the error.
        path: of the request; decides on the dialect.
        request_id: goes into the details.
        more_details: entries to add to the usual details.
    """
    details = _details(error, request_id) | dict(more_details or {})
    document = form_of(path).document(error, details)
    if path.startswith(_IMAGES) and error.reason == "content_filtered":
        document["error"] |= _BLOCKED
    return document


def error_headers(error: ApiError, path: str) -> dict[str, str]:
    """Return the headers of an error response to a request of `path`."""
    return form_of(path).headers(error)


def error_status(error: ApiError, path: str) -> int:
    """Return the status of an error response to a request of `path`."""
    return form_of(path).status(error)


def _own_status(error: ApiError) -> int:
    return error.status


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """How a dialect writes errors.

    `prefix` is that of its paths; `document` makes a body of an error and its details.
    """

    prefix: str
    document: Callable[[ApiError, Mapping[str, Any]], dict[str, Any]]
    headers: Callable[[ApiError], dict[str, str]]
    status: Callable[[ApiError], int] = _own_status

    def has(self, path: str) -> bool:
        """Whether a path is of this dialect."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")


def form_of(path: str) -> ErrorForm:
    """Return the form of the errors of a path."""
    return next((form for form in FORMS if form.has(path)), REST)


def is_final(error: ApiError) -> bool:
    """Whether the same request must not be sent again by itself."""
    return error.retries_exhausted or error.may_have_charged or not error.retryable


def _retry_headers(error: ApiError) -> dict[str, str]:
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
        headers["retry-after-ms"] = str(error.retry_after * 1000)
    return headers


def _sdk_headers(error: ApiError) -> dict[str, str]:
    headers = _retry_headers(error)
    if is_final(error):
        # The SDKs retry every 429 and 5xx twice, unless this header says no.
        headers["x-should-retry"] = "false"
    return headers


def _agent_headers(error: ApiError) -> dict[str, str]:
    headers = _sdk_headers(error)
    if is_final(error):
        # Codex 0.171 knows no other sign: it sends a 429 with a time six times, one without once.
        headers.pop("Retry-After", None)
        headers.pop("retry-after-ms", None)
    return headers


def openai_error(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the body of an error in OpenAI's dialect, for an event of a stream."""
    return _openai_shape(error, _details(error, request_id))


def _details(error: ApiError, request_id: str) -> dict[str, Any]:
    details: dict[str, Any] = {
        "retryable": error.retryable,
        "reason": error.reason,
        "request_id": request_id,
    }
    if isinstance(error, InvalidRequest) and error.hint:
        details["hint"] = error.hint
    if isinstance(error, InvalidRequest) and error.fields:
        details["errors"] = [{"field": f.field, "message": f.message} for f in error.fields]
    if isinstance(error, ContentFiltered):
        found = {"stage": error.stage, "what": error.what}
        details |= {name: value for name, value in found.items() if value}
    if isinstance(error, RateLimited) and error.scope:
        details["scope"] = error.scope
    return details


def _rest_shape(error: ApiError, details: Mapping[str, Any]) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "details": details}}


def _openai_shape(error: ApiError, details: Mapping[str, Any]) -> dict[str, Any]:
    fields = error.fields if isinstance(error, InvalidRequest) else ()
    return {
        "error": {
            "message": error.message,
            "type": "permission_error" if error.status == 403 else _OPENAI_TYPES[error.code],
            "param": fields[0].field if fields else None,
            "code": error.reason,
            "details": {**details, "code": error.code},
        }
    }


def anthropic_error(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the body of an error in Anthropic's dialect, for an event of a stream."""
    return _anthropic_shape(error, _details(error, request_id))


def _anthropic_shape(error: ApiError, details: Mapping[str, Any]) -> dict[str, Any]:
    status = _anthropic_status(error)
    of_caller = "invalid_request_error" if status < 500 else "api_error"
    return {
        "type": "error",
        "error": {
            "type": _ANTHROPIC_TYPES.get(status, of_caller),
            "message": error.message,
            "details": {"error_code": error.reason, **details, "code": error.code},
        },
        "request_id": details["request_id"],
    }


def _anthropic_status(error: ApiError) -> int:
    return _ANTHROPIC_STATUSES.get(error.reason, error.status)


def _anthropic_headers(error: ApiError) -> dict[str, str]:
    headers = _sdk_headers(error)
    if (error.retry_after or 0) > _LONGEST_WAIT_S:
        headers["x-should-retry"] = "false"
    return headers


REST = ErrorForm("", _rest_shape, _retry_headers)
# Of several prefixes the first that fits counts.
FORMS: tuple[ErrorForm, ...] = (
    ErrorForm("/v1/responses", _openai_shape, _agent_headers),
    ErrorForm("/v1/messages", _anthropic_shape, _anthropic_headers, _anthropic_status),
    ErrorForm("/v1", _openai_shape, _sdk_headers),
)
