"""Renders every error as JSON, in the dialect of the path it happened on."""

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from llm_api.drain import OUT_OF_MEMORY
from llm_api.errors import (
    ApiError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    ServiceError,
    Unavailable,
)

logger = logging.getLogger(__name__)

_OPENAI_TYPES = {
    "VALIDATION_ERROR": "invalid_request_error",
    "AUTHENTICATION_ERROR": "authentication_error",
    "RATE_LIMIT_EXCEEDED": "rate_limit_error",
    "SERVICE_ERROR": "server_error",
}


def json_response(document: Any, status: int = 200) -> Response:
    """Make a JSON response of a value that orjson can write; bytes are taken for JSON already."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return Response(body, status=status, content_type="application/json")


def register_error_handlers(app: Flask) -> None:
    """Answer every error of the application from here.

    After `flask_smorest.Api(app)`, which installs a handler of its own.
    """
    app.register_error_handler(ApiError, error_response)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_crash)
    app.register_error_handler(MemoryError, _answer_exhaustion)


def error_response(error: ApiError, *, more_details: Mapping[str, Any] | None = None) -> Response:
    """Make the answer of an error; `more_details` stand beside the usual ones."""
    details = _details(error, g.request_id) | dict(more_details or {})
    is_openai = is_openai_path(request.path)
    document = _openai_shape(error, details) if is_openai else _rest_shape(error, details)
    response = json_response(document, error.status)
    for name, value in _headers(error, is_openai=is_openai):
        response.headers[name] = value
    g.log["reason"] = error.reason
    if error.hint:
        g.log["hint"] = error.hint
    return response


def refusal_bytes(
    error: ApiError, request_id: str, *, is_openai: bool
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """Write the body and the headers of an error, for an answer that is given without Flask."""
    details = _details(error, request_id)
    document = _openai_shape(error, details) if is_openai else _rest_shape(error, details)
    headers = [("Content-Type", "application/json"), *_headers(error, is_openai=is_openai)]
    return orjson.dumps(document), tuple(headers)


def is_openai_path(path: str) -> bool:
    """Tell whether errors on a path are written as OpenAI writes them."""
    return path == "/v1" or path.startswith("/v1/")


def openai_error(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return an error as OpenAI writes it, for an event of a stream."""
    return _openai_shape(error, _details(error, request_id))


def _headers(error: ApiError, *, is_openai: bool) -> list[tuple[str, str]]:
    headers = list(error.headers)
    if error.retry_after is not None:
        headers.append(("Retry-After", str(error.retry_after)))
        headers.append(("retry-after-ms", str(error.retry_after * 1000)))
    if is_openai and (error.is_spent or not error.retryable):
        # The SDKs repeat every 429 and 5xx twice, unless this tells them not to.
        headers.append(("x-should-retry", "false"))
    return headers


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


def _answer_http(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug raise; a redirect is no error and stays as it is."""
    status = error.code or 500
    if status < 400 or error.response is not None:
        return error.get_response()  # type: ignore[return-value]  # a WSGI response is all Flask needs
    if status == 404:
        return error_response(NotFound("There is no such path.", reason="not_found"))
    if status == 405:
        return error_response(_method_not_allowed(error))
    if status < 500:
        return error_response(InvalidRequest("The request is malformed.", reason="bad_request"))
    return _answer_crash(error)


def _method_not_allowed(error: HTTPException) -> MethodNotAllowed:
    allowed = [value for name, value in error.get_headers() if name == "Allow"]
    return MethodNotAllowed(
        f"This path takes {', '.join(allowed) or 'other methods'}, not {request.method[:20]}.",
        reason="method_not_allowed",
        headers=[("Allow", value) for value in allowed],
    )


def _answer_crash(error: Exception) -> Response:
    """Answer a fault of our own; what happened goes to the log, not to the caller."""
    logger.error("unexpected error", exc_info=error, extra={"path": request.path[:200]})
    message = "Something went wrong in this service; quote the request id to its operator."
    return error_response(ServiceError(message, reason="internal_error"))


def _answer_exhaustion(_: Exception) -> Response:
    """Answer a request that the process has no memory left for; a smaller one may be served."""
    # What else has failed meanwhile is not known: llm_api/gunicorn_worker.py replaces the worker.
    request.environ[OUT_OF_MEMORY] = True
    # Without a traceback, which would take up more of it.
    logger.error("out of memory", extra={"path": request.path[:200]})
    message = "This service has no memory left for the request; try again later."
    return error_response(Unavailable(message, reason="out_of_memory", retry_after=5))
