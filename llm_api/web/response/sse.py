"""Server-sent events: a streamed answer, in the form of the dialect that its client speaks."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import orjson
from flask import Response, g

from llm_api.errors import ApiError, ServiceError
from llm_api.services.chat import AnswerStream
from llm_api.web.request.context import RequestState
from llm_api.web.response.error_formats import error_document, openai_error

logger = logging.getLogger(__name__)

_HEAD = ("id", "object", "created", "model")
_CHAT_ERROR = b'data: {"error":'


class KeepAlive(bytes):
    """What is sent in a silence; it is no part of the answer."""

    __slots__ = ()


class End(bytes):
    """What ends an answer that is whole."""

    __slots__ = ()


DONE = End(b"data: [DONE]\n\n")


class StreamWriter(Protocol):
    """Writes one streamed answer in a dialect, from chunks of a chat completion."""

    def events(self, batch: Sequence[bytes]) -> bytes:
        """Write the events for chunks that came together; empty where they say nothing here."""

    def keep_alive(self) -> KeepAlive | None:
        """Write what is sent in a silence; None where nothing can be sent yet."""

    def end(self) -> End:
        """Write what ends the answer, which is whole."""

    def error(self, error: ApiError, request_id: str) -> bytes:
        """Write the events that end the stream with an error."""


class StreamForm(Protocol):
    """What a dialect's streams have in common, for those who are sent a stream of another client's.

    `sent` are events of such a stream, as they were written.
    """

    def keep_alive(self, sent: bytes) -> KeepAlive:
        """Write what is sent in a silence behind the first events of a stream."""

    def has_failed(self, sent: bytes) -> bool:
        """Whether the last events of a stream are those of an error."""

    def broken(self, first: bytes, last: bytes, error: ApiError, request_id: str) -> bytes:
        """Write the events of an error for a stream that ended in between.

        `first` and `last` are the first and the last events that it had; both are empty for none.
        """


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


class ChatWriter:
    """Passes chunks on as they are, as chat and text completions are streamed."""

    def __init__(self) -> None:
        """Create the writer of one stream."""
        self._first = b""

    def events(self, batch: Sequence[bytes]) -> bytes:
        """Write every chunk as an event."""
        self._first = self._first or batch[0]
        if len(batch) == 1:
            return b"data: %b\n\n" % batch[0]
        return b"data: %b\n\n" % b"\n\ndata: ".join(batch)

    def keep_alive(self) -> KeepAlive | None:
        """Write a chunk that says nothing; None before the first, whose head is not known."""
        return keep_alive(self._first) if self._first else None

    def end(self) -> End:
        """Write the mark of the end."""
        return DONE

    def error(self, error: ApiError, request_id: str) -> bytes:
        """Write the one event of an error."""
        return error_event(error, request_id)


class ChatForm:
    """The form of streamed chat and text completions."""

    def keep_alive(self, sent: bytes) -> KeepAlive:
        """Write a chunk that says nothing."""
        return keep_alive(sent)

    def has_failed(self, sent: bytes) -> bool:
        """Look for the event of an error."""
        return _CHAT_ERROR in sent

    def broken(self, _first: bytes, _last: bytes, error: ApiError, request_id: str) -> bytes:
        """Write the one event of an error."""
        return error_event(error, request_id)


CHAT_FORM = ChatForm()


def event_stream(answer: AnswerStream, writer: StreamWriter) -> Response:
    """Return the response that sends the chunks as they come in, as the `writer` writes them."""
    # Flask forgets the request before the first event is asked for: what is needed is kept.
    state: RequestState = g.request_state
    state.stream = answer
    return stream_of(_Events(answer, writer, state.log, state.request_id))


def stream_of(events: Iterable[bytes]) -> Response:
    """Return the response whose body are these events."""
    response = Response(events, mimetype="text/event-stream")
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

    def __init__(
        self, answer: AnswerStream, writer: StreamWriter, log: dict[str, object], request_id: str
    ) -> None:
        self._answer = answer
        self._writer = writer
        self._log = log
        self._request_id = request_id
        self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        # No generator, see SuspendedBatches.
        return iter(self._next_events, None)

    def _next_events(self) -> bytes | None:
        """Wait for the next events and return them as they are sent; None at the end."""
        if self._has_ended:
            return None
        try:
            while (batch := self._answer.next_batch()) is not None:
                events = self._writer.events(batch) if batch else self._writer.keep_alive()
                if events:
                    return events
            self._has_ended = True
            return self._writer.end()
        except ApiError as error:
            return self._event_of(error)
        except Exception:  # whatever it is: the client must not take the end for the answer's
            logger.exception("unexpected error in a stream")
            message = "Something went wrong in this service; quote the request id to its operator."
            return self._event_of(ServiceError(message, reason="internal_error"))

    def _event_of(self, error: ApiError) -> bytes:
        self._has_ended = True
        self._log["reason"] = error.reason
        return self._writer.error(error, self._request_id)

    def close(self) -> None:
        """End the call, if it has not ended."""
        if not self._has_ended:
            self._log["reason"] = "client_closed"
        self._answer.close()
