"""Server-sent events: a streamed answer, in the form that every OpenAI SDK takes."""

import logging
from collections.abc import Iterator

import orjson
from flask import Response, g

from llm_api.errors import ApiError, ServiceError
from llm_api.services.chat import AnswerStream
from llm_api.web.request.context import RequestState
from llm_api.web.response.error_formats import error_document, openai_error

logger = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
_HEAD = ("id", "object", "created", "model")


class KeepAlive(bytes):
    """What is sent in a silence; it is no part of the answer."""

    __slots__ = ()


def keep_alive(events: bytes) -> KeepAlive:
    """Return a chunk that says nothing, with the head of the first of the `events` of its stream.

    A comment is not safe: Dify's parser loses the event behind one, and openai-go before 3.43 ends
    at one that has a blank line behind it.
    """
    first = orjson.loads(events.partition(b"\n\n")[0].removeprefix(b"data: "))
    is_text = first["object"] == "text_completion"
    nothing: dict[str, object] = {"text": "", "logprobs": None} if is_text else {"delta": {}}
    choices = [{"index": 0, **nothing, "finish_reason": None}]
    chunk = {name: first[name] for name in _HEAD} | {"choices": choices}
    return KeepAlive(b"data: %b\n\n" % orjson.dumps(chunk))


def event_stream(answer: AnswerStream) -> Response:
    """Return the response that sends the chunks as they come in."""
    # Flask forgets the request before the first event is asked for: what is needed is kept.
    state: RequestState = g.request_state
    state.stream = answer
    response = Response(_Events(answer, state.log, state.request_id), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response


def error_event(error: ApiError, request_id: str) -> bytes:
    """Return the event that ends a stream with an error."""
    return b"data: %b\n\n" % orjson.dumps(openai_error(error, request_id))


def error_event_at(error: ApiError, path: str, request_id: str) -> bytes:
    """Return the same event for a request of `path`, where that decides on its form."""
    return b"data: %b\n\n" % orjson.dumps(error_document(error, path, request_id))


class _Events:
    """The body; an error that comes up on the way is its last event."""

    def __init__(self, answer: AnswerStream, log: dict[str, object], request_id: str) -> None:
        self._answer = answer
        self._log = log
        self._request_id = request_id
        self._first = b""
        self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        # No generator, see SuspendedBatches.
        return iter(self._next_events, None)

    def _next_events(self) -> bytes | None:
        """Wait for the next events and return them as they are sent; None at the end."""
        if self._has_ended:
            return None
        try:
            batch = self._answer.next_batch()
            while batch is not None and not batch and not self._first:
                batch = self._answer.next_batch()  # no head is known for a keep-alive
            if batch is None:
                self._has_ended = True
                return DONE
            if not batch:
                return keep_alive(self._first)
            self._first = self._first or batch[0]
            if len(batch) == 1:
                return b"data: %b\n\n" % batch[0]
            return b"data: %b\n\n" % b"\n\ndata: ".join(batch)
        except ApiError as error:
            return self._event_of(error)
        except Exception:  # whatever it is: the client must not take the end for the answer's
            logger.exception("unexpected error in a stream")
            message = "Something went wrong in this service; quote the request id to its operator."
            return self._event_of(ServiceError(message, reason="internal_error"))

    def _event_of(self, error: ApiError) -> bytes:
        self._has_ended = True
        self._log["reason"] = error.reason
        return error_event(error, self._request_id)

    def close(self) -> None:
        """End the call, if it has not ended."""
        if not self._has_ended:
            self._log["reason"] = "client_closed"
        self._answer.close()
