"""Renders every error as JSON, in the dialect of the path it happened on."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from llm_api.errors import (
    ApiError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    Unavailable,
)
from llm_api.runtime.drain import OUT_OF_MEMORY
from llm_api.web.request.context import RequestState
from llm_api.web.response.answers import json_response
from llm_api.web.response.error_formats import error_document, error_headers

logger = logging.getLogger(__name__)
# What SDKs call by default, and how each is told to make chat completions instead. Sources:
# https://openai.github.io/openai-agents-python/models/, https://ai.pydantic.dev/models/openai/,
# https://ai-sdk.dev/providers/ai-sdk-providers/openai
_CHOOSE_CHAT = (
    'Choose chat completions: set_default_openai_api("chat_completions") in OpenAI Agents,'
    " openai-chat:MODEL in pydantic-ai, openai.chat(MODEL) in the AI SDK,"
    " use_responses_api=False in LangChain, client.chat.completions.create in OpenAI's SDKs."
)
_CHOOSE_CLIENT = (
    "Use a client of OpenAI's API, with this service's address up to /v1 as its base URL, in place"
    " of one of Anthropic's."
)
# What clients of OpenAI's API call where their base URL lacks /v1, has it twice or something else.
_OURS = re.compile(
    "/(chat/completions|completions|embeddings|models|images/(?:generations|edits))/?$"
)
_ONE_V1 = (
    "The base URL of a client of OpenAI's API is the address of this service and /v1, which the"
    " client follows by its own paths."
)
_NO_VARIATIONS = NotFound(
    "Variations are no longer made by any model; send the picture to POST /v1/images/edits, with a"
    " prompt that says what is to change.",
    reason="not_supported",
)
_OTHER_APIS = (
    ("/responses(/|$)", "Responses API", _CHOOSE_CHAT),
    ("/messages(/|$)", "Messages API", _CHOOSE_CLIENT),
)


def register_error_handlers(app: Flask) -> None:
    """Register the handlers; after `flask_smorest.Api(app)`, which installs one of its own."""
    app.register_error_handler(ApiError, error_response)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_crash)
    app.register_error_handler(MemoryError, _answer_exhaustion)


def error_response(error: ApiError, *, more_details: Mapping[str, Any] | None = None) -> Response:
    """Return the response of an error; `more_details` are added to its `details`."""
    state: RequestState = g.request_state
    document = error_document(error, request.path, state.request_id, more_details)
    response = json_response(document, error.status)
    response.headers.update(error_headers(error, request.path))
    state.log["reason"] = error.reason
    if error.hint:
        state.log["hint"] = error.hint
    if error.report is not None:
        state.report = error.report
    return response


def _answer_http(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug raise; a redirect is no error and stays as it is."""
    status = error.code or 500
    if status < 400 or error.response is not None:
        return error.get_response()  # type: ignore[return-value]  # a WSGI response is all Flask needs
    if status == 404:
        return error_response(_not_found(request.path))
    if status == 405:
        return error_response(_method_not_allowed(error))
    if status < 500:
        return error_response(InvalidRequest("The request is malformed.", reason="bad_request"))
    return _answer_crash(error)


def _not_found(path: str) -> NotFound:
    """Make the error of a path without a route; it names the one that is probably meant."""
    for pattern, api, hint in _OTHER_APIS:
        if re.search(pattern, path):
            message = f"There is no {api} here; use POST /v1/chat/completions (chat completions)."
            return NotFound(message, reason="not_found").replaced(hint=hint)
    if path.rstrip("/") == "/v1/images/variations":
        return _NO_VARIATIONS
    if ours := _OURS.search(path):
        message = f"There is no such path; /v1/{ours[1]} is one."
        return NotFound(message, reason="not_found").replaced(hint=_ONE_V1)
    return NotFound("There is no such path.", reason="not_found")


def _method_not_allowed(error: HTTPException) -> MethodNotAllowed:
    allowed = [value for name, value in error.get_headers() if name == "Allow"]
    return MethodNotAllowed(
        f"This path takes {', '.join(allowed) or 'other methods'}, not {request.method[:20]}.",
        reason="method_not_allowed",
        headers=[("Allow", value) for value in allowed],
    )


def _answer_crash(error: Exception) -> Response:
    """Answer a bug of ours; what happened goes to the log, not to the caller."""
    logger.error("unexpected error", exc_info=error, extra={"path": request.path[:200]})
    message = "Something went wrong in this service; quote the request id to its operator."
    return error_response(ServiceError(message, reason="internal_error"))


def _answer_exhaustion(_: Exception) -> Response:
    """Answer a request that the process has no memory left for; a smaller one may be served."""
    # What else has failed meanwhile is not known: server/gunicorn_worker.py replaces the worker.
    request.environ[OUT_OF_MEMORY] = True
    # Without a traceback, which would take up more of it.
    logger.error("out of memory", extra={"path": request.path[:200]})
    message = "This service has no memory left for the request; try again later."
    return error_response(Unavailable(message, reason="out_of_memory", retry_after=5))
