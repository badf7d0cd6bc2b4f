"""Tells Codex of a failure in a way that it does not repeat thirty times.

Codex 0.171 sends a request that is answered by a status of 500 or more thirty times, and six times
for 402, 403, 404 and 413, whatever `x-should-retry` says. What it obeys is the code of a stream
that fails (see `failures`). So it gets a stream where others get a status, which says more to them.
It names itself in the header `originator`, which no other client sends.
"""

from collections.abc import Callable
from functools import wraps

from flask import Response, g, request

from llm_api.errors import ApiError
from llm_api.web.middleware.load_shedding import CODEX
from llm_api.web.openai.responses import response_events
from llm_api.web.openai.responses.input.schemas import ResponsesRequest
from llm_api.web.request.context import RequestState
from llm_api.web.response.errors import note_error
from llm_api.web.response.sse import stream_of

# Once for these, or after the time that Retry-After names.
_NOT_REPEATED = (400, 429)

View = Callable[[ResponsesRequest], Response]


def fails_for_codex(view: View) -> View:
    """Decorate a view: a streamed answer to Codex that does not begin fails as a stream."""

    @wraps(view)
    def answer(body: ResponsesRequest) -> Response:
        try:
            return view(body)
        except ApiError as error:
            is_codex = CODEX in request.environ and body.is_streamed
            if not is_codex or error.status in _NOT_REPEATED:
                raise
            note_error(error)
            writer = response_events.ResponseWriter(body.model_request, body.tools, body.echo)
            state: RequestState = g.request_state
            return stream_of([writer.error(error, state.request_id)])

    return answer
