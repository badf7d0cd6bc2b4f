"""Streams pictures as events, also those of vendors that do not stream.

To a client that wants events, an answer in one piece is an empty stream, without any error. And an
event with an `error` ends a stream: pictures that failed beside others stand in the last one's
`failed`.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, g

from llm_api.domain.making import DecodedBase64
from llm_api.errors import ApiError, ServiceError
from llm_api.runtime.turns import base64_encoded
from llm_api.services.images import ImageJob
from llm_api.upstream.media.vendor_protocol import Preview
from llm_api.web.images.base64_bodies import ReadFile, encoded, pieces_of
from llm_api.web.images.image_orders import Making
from llm_api.web.request.context import RequestState
from llm_api.web.response.sse import error_event_at, stream_of

logger = logging.getLogger(__name__)

# Nothing is longer silent: proxies close a connection after a minute without a byte.
PING_S = 15.0
_PING = b": ping\n\n"


@dataclass(frozen=True, slots=True)
class EventWriter:
    """How the events of one request are written.

    Attributes:
        name: of the events: `image_generation` or `image_edit`.
        documents: makes the documents of an ended job: one a picture. Raises ApiError.
        read: reads a stored picture.
        path: of the request; it decides on the form of errors.
        request_id: that of the request.
    """

    name: str
    documents: Callable[[ImageJob], list[dict[str, Any]]]
    read: ReadFile
    path: str
    request_id: str

    def preview(self, preview: Preview) -> bytes:
        """Write a preview."""
        kind = f"{self.name}.partial_image"
        document = {
            "type": kind,
            "b64_json": _text_of(preview.base64),
            "partial_image_index": preview.index,
            "created_at": int(time.time()),
        }
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(document))

    def pictures(self, job: ImageJob) -> Iterator[bytes]:
        """Write the pictures of a job; raises ApiError before the first."""
        kind = f"{self.name}.completed"
        for document in self.documents(job):
            pieces = pieces_of({"type": kind, **document})
            yield b"event: %b\ndata: " % kind.encode()
            yield from encoded(pieces, self.read)
            yield b"\n\n"

    def error(self, error: ApiError) -> bytes:
        """Write the error that ends the stream."""
        return error_event_at(error, self.path, self.request_id)


def stream_images(make: Making, writer: EventWriter) -> Response:
    """Return the response that sends previews and pictures as they come; raises ApiError.

    It begins when there is a job: what is refused before is a plain error.
    """
    # Flask forgets the request before the first event is asked for: what is needed is kept.
    state: RequestState = g.request_state
    events = _Events(make, writer, state.log)
    events.wait_for_job()
    return stream_of(events)


def _job_of(news: ImageJob | BaseException) -> ImageJob:
    if isinstance(news, BaseException):
        raise news
    return news


class _Begun:
    """Says that there is a job."""


class _Events:
    """The body; the pictures are made beside it."""

    def __init__(self, make: Making, writer: EventWriter, log: dict[str, object]) -> None:
        self._make = make
        self._writer = writer
        self._log = log
        self._news: queue.Queue[_Begun | Preview | ImageJob | BaseException] = queue.Queue()
        self._is_closed = False
        self._has_ended = False
        self._work = threading.Thread(target=self._run, name="image-stream", daemon=True)

    def wait_for_job(self) -> None:
        """Start the work, and wait until there is a job; raises ApiError.

        The wait is not for long: a prompt that is rewritten first can take longer.
        """
        self._work.start()
        try:
            news = self._news.get(timeout=PING_S)
        except queue.Empty:
            return
        if isinstance(news, BaseException):
            raise news
        self._news.put(news)

    def _run(self) -> None:
        try:
            job = self._make(self._take_preview, lambda _: self._news.put(_Begun()))
        except BaseException as error:  # noqa: BLE001  # it is raised, or written, where it is read
            self._news.put(error)
        else:
            self._news.put(job)

    def _take_preview(self, preview: Preview) -> None:
        if not self._is_closed:
            self._news.put(preview)

    def __iter__(self) -> Iterator[bytes]:
        while not self._has_ended:
            try:
                news = self._news.get(timeout=PING_S)
            except queue.Empty:
                yield _PING
                continue
            if isinstance(news, Preview):
                yield self._writer.preview(news)
            elif isinstance(news, _Begun):
                yield _PING  # the client, and what stands between, get the head of the answer now
            else:
                yield from self._ending(news)

    def _ending(self, news: ImageJob | BaseException) -> Iterator[bytes]:
        """Yield the last events: the pictures, or the error."""
        try:
            yield from self._writer.pictures(_job_of(news))
        except ApiError as error:
            yield self._event_of(error)
        except Exception:  # whatever it is: the client must not take the end for the answer's
            logger.exception("unexpected error in a stream of pictures")
            message = "Something went wrong in this service; quote the request id to its operator."
            yield self._event_of(ServiceError(message, reason="internal_error"))
        self._has_ended = True

    def _event_of(self, error: ApiError) -> bytes:
        self._log["reason"] = error.reason
        return self._writer.error(error)

    def close(self) -> None:
        """Let go of what has not been sent; the job goes on as for any client that leaves."""
        self._is_closed = True
        if not self._has_ended:
            self._log["reason"] = "client_closed"


def _text_of(base64: bytes | DecodedBase64) -> str:
    if isinstance(base64, DecodedBase64):
        base64 = base64_encoded(base64.data)
    return base64.decode()
