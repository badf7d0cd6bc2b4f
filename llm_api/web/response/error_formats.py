"""How an error looks: its JSON and its headers, in the dialect of the path it happened on.

It knows no Flask: gunicorn's worker writes errors with it before the application sees a request.
"""

from collections.abc import Mapping
from typing import Any

from llm_api.errors import ApiError, InvalidRequest, RateLimited

_OPENAI_TYPES = {
    "VALIDATION_ERROR": "invalid_request_error",
    "AUTHENTICATION_ERROR": "authentication_error",
    "RATE_LIMIT_EXCEEDED": "rate_limit_error",
    "SERVICE_ERROR": "server_error",
}


def error_document(
    error: ApiError, path: str, request_id: str, more_details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the body of an error's answer; `more_details` stand beside the usual ones."""
    details = _details(error, request_id) | dict(more_details or {})
    return _openai_shape(error, details) if is_openai_path(path) else _rest_shape(error, details)


def error_headers(error: ApiError, path: str) -> dict[str, str]:
    """Return the headers that an error adds to its answer."""
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
        headers["retry-after-ms"] = str(error.retry_after * 1000)
    if is_openai_path(path) and (error.retries_exhausted or not error.retryable):
        # The SDKs repeat every 429 and 5xx twice, unless this tells them not to.
        headers["x-should-retry"] = "false"
    return headers


def openai_error(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return an error as OpenAI writes it, for an event of a stream."""
    return _openai_shape(error, _details(error, request_id))


def is_openai_path(path: str) -> bool:
    """Tell whether errors on a path are written as OpenAI writes them."""
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
