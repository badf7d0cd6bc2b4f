"""Shows people why a page cannot be shown: a page in the frame of the others."""

from flask import Response, g, make_response, request

from llm_api.errors import ApiError
from llm_api.services.keys.session_service import Session
from llm_api.web.console import rendering
from llm_api.web.request.context import RequestState
from llm_api.web.response.error_formats import error_headers

_SENTENCES = {401: "not_allowed", 403: "not_allowed", 404: "not_found", 429: "too_often"}


def show(error: ApiError) -> Response:
    """Return the page of an error, with its status and the time to wait."""
    state: RequestState = g.request_state
    page = rendering.render_for(
        _session(),
        "failure.html",
        "failure",
        told=_SENTENCES.get(error.status) or _sentence(error.status),
        wait_s=error.retry_after,
        request_id=state.request_id,
    )
    return make_response(page, error.status, error_headers(error, request.path))


def _session() -> Session | None:
    try:
        return rendering.session_of_request()
    except ApiError:  # the store of keys may be what has failed
        return None


def _sentence(status: int) -> str:
    if status < 500:
        return "refused"
    return "away" if status == 503 else "broken"
