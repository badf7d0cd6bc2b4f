"""Renders every error as JSON, in the dialect of the path it happened on; for people as a page."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from llm_api.errors import (
    ApiError,
    InvalidRequest,
    MethodNotAllowed,
    RateLimited,
    ServiceError,
    Unavailable,
)
from llm_api.runtime.drain import OUT_OF_MEMORY
from llm_api.web.request.context import RequestState
from llm_api.web.response.answers import json_response
from llm_api.web.response.error_formats import (
    REST,
    error_document,
    error_headers,
    error_status,
    form_of,
)
from llm_api.web.response.unknown_paths import unknown_path

Show = Callable[[ApiError], Response]
PAGE_OF_ERROR = "llm_api_page_of_error"
# What browsers show as pages, and what is below that.
_PAGES = re.compile(r"/(?:(?:console(?!/static/)|docs(?!/swagger-ui/)|reference)(?:/.*)?)?")
logger = logging.getLogger(__name__)


def register_error_handlers(app: Flask) -> None:
    """Register the handlers; after `flask_smorest.Api(app)`, which installs one of its own.

    The application's extension PAGE_OF_ERROR makes the page of an error, for people.
    """
    app.register_error_handler(ApiError, _answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_crash)
    app.register_error_handler(MemoryError, _answer_exhaustion)


def error_response(
    error: ApiError, *, more_details: Mapping[str, Any] | None = None, path: str | None = None
) -> Response:
    """Return the response of an error.

    Args:
        error: what happened.
        more_details: added to its `details`.
        path: decides on the dialect; None for that of the request.
    """
    state: RequestState = g.request_state
    path = path or request.path
    document = error_document(error, path, state.request_id, more_details)
    response = json_response(document, error_status(error, path))
    response.headers.update(error_headers(error, path))
    note_error(error)
    return response


def note_error(error: ApiError) -> None:
    """Note an error, with which the current request is answered, for log line and headers."""
    state: RequestState = g.request_state
    state.log["reason"] = error.reason
    if isinstance(error, RateLimited):
        state.refused_by = error.scope
        if error.scope is not None:
            state.log["limit"] = error.scope
    if error.hint:
        state.log["hint"] = error.hint
    if error.report is not None:
        state.report = error.report


def _answer(error: ApiError, path: str | None = None) -> Response:
    """Answer an error: with a page where a page was asked for, as browsers do for people."""
    if not (_PAGES.fullmatch(request.path) and "text/html" in request.headers.get("Accept", "")):
        return error_response(error, path=path)
    note_error(error)
    show: Show = current_app.extensions[PAGE_OF_ERROR]
    return show(error)


def _answer_http(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug raise; a redirect is no error and stays as it is."""
    status = error.code or 500
    if status < 400 or error.response is not None:
        return error.get_response()  # type: ignore[return-value]  # a WSGI response is all Flask needs
    if status == 404:
        return _answer_unknown_path(request.path)
    if status == 405:
        return _answer(_method_not_allowed(error))
    if status < 500:
        return _answer(InvalidRequest("The request is malformed.", reason="bad_request"))
    return _answer_crash(error)


def _answer_unknown_path(path: str) -> Response:
    """Answer a path without a route; known ones of other APIs as their clients read errors."""
    error = unknown_path(path)
    lacks_v1 = error.reason == "not_supported" and form_of(path) is REST
    return _answer(error, path=f"/v1{path}" if lacks_v1 else path)


def _method_not_allowed(error: HTTPException) -> MethodNotAllowed:
    # Werkzeug has them in the order of a set, which is another one in each process.
    allowed = [value for name, value in error.get_headers() if name == "Allow"]
    return MethodNotAllowed(request.method, [one for names in allowed for one in names.split(", ")])


def _answer_crash(error: Exception) -> Response:
    """Answer a bug of ours; what happened goes to the log, not to the caller."""
    logger.error("unexpected error", exc_info=error, extra={"path": request.path[:200]})
    message = "Something went wrong in this service; quote the request id to its operator."
    return _answer(ServiceError(message, reason="internal_error"))


def _answer_exhaustion(_: Exception) -> Response:
    """Answer a request that the process has no memory left for; a smaller one may be served."""
    # What else has failed meanwhile is not known: server/gunicorn_worker.py replaces the worker.
    request.environ[OUT_OF_MEMORY] = True
    # Without a traceback, which would take up more of it.
    logger.error("out of memory", extra={"path": request.path[:200]})
    message = "This service has no memory left for the request; try again later."
    return error_response(Unavailable(message, reason="out_of_memory", retry_after=5))
