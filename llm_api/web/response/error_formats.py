"""JSON and headers of an error, in the API dialect of the request's path.

It does not use Flask: gunicorn's worker also writes errors, for requests that the application does
not see.
"""

from collections.abc import Mapping
from typing import Any

from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, RateLimited

_OPENAI_TYPES = {
    "VALIDATION_ERROR": "invalid_request_error",
    "AUTHENTICATION_ERROR": "authentication_error",
    "RATE_LIMIT_EXCEEDED": "rate_limit_error",
    "SERVICE_ERROR": "server_error",
}
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
    if not is_openai_path(path):
        return _rest_shape(error, details)
    document = _openai_shape(error, details)
    if path.startswith(_IMAGES) and error.reason == "content_filtered":
        document["error"] |= _BLOCKED
    return document


def error_headers(error: ApiError, path: str) -> dict[str, str]:
    """Return the headers of an error response to a request of `path`."""
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
        headers["retry-after-ms"] = str(error.retry_after * 1000)
    is_final = error.retries_exhausted or error.may_have_charged or not error.retryable
    if is_openai_path(path) and is_final:
        # The SDKs retry every 429 and 5xx twice, unless this header says no.
        headers["x-should-retry"] = "false"
    return headers


def openai_error(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the body of an error in OpenAI's dialect, for an event of a stream."""
    return _openai_shape(error, _details(error, request_id))


def is_openai_path(path: str) -> bool:
    """Whether a path is of OpenAI's dialect."""
    return path == "/v1" or path.startswith("/v1/")


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
