"""Response write timeout: disconnects clients that stop reading.

Such a client would hold its call, its connection to the upstream and, with threads, its worker for
ever.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import cast
from wsgiref.types import WSGIEnvironment

from flask import Response, current_app, request
from werkzeug.wsgi import ClosingIterator

from llm_api.runtime.deadlines import Deadline, DeadlineWatcher
from llm_api.runtime.turns import LARGE_WORK
from llm_api.web.request.context import services

TIMEOUT_SETTING = "CLIENT_WRITE_TIMEOUT"
# A client that reads 1 KB a second reads a piece in 16 s, of the 30 s that it has by default.
PIECE_BYTES = 16_384
# A write that fits into the socket's buffer does not block: without a yield in between, a client
# that fetches much at once would hold up all others.
_BYTES_BETWEEN_PAUSES = 65_536


def with_write_timeout(response: Response) -> Response:
    """Return a response whose pieces must each be written within `TIMEOUT_SETTING`.

    Not needed for a whole body of at most `PIECE_BYTES`: it fits into the socket's buffer, so that
    its write does not block.
    """
    client = request.environ.get("gunicorn.socket")
    if client is None or request.method == "HEAD":
        return response
    seconds = cast("float", current_app.config[TIMEOUT_SETTING])
    # The pieces of a file, too: where the kernel sends it, its progress could not be watched.
    body = _GuardedBody(response.response, client, services().watch, seconds)
    guarded = _GuardedResponse(body, response.status, response.headers)
    guarded.call_on_close(response.close)
    return guarded


class _GuardedResponse(Response):
    """A response whose pieces are bytes already, and go to the server as they are."""

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return what the server sends.

        Werkzeug passes every piece through two iterators of its own, one of which encodes text.
        """
        sent = super().get_app_iter(environ)
        if not isinstance(sent, ClosingIterator):  # nothing is sent
            return sent
        return _Sent(cast("Iterable[bytes]", self.response), self.close)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The pieces of a response, which is closed behind the last."""

    pieces: Iterable[bytes]
    close: Callable[[], None]

    def __iter__(self) -> Iterator[bytes]:
        """Return the pieces."""
        return iter(self.pieces)


class _GuardedBody:
    """A body whose pieces must each be written within `seconds`."""

    def __init__(
        self, pieces: object, client: socket.socket, watch: DeadlineWatcher, seconds: float
    ) -> None:
        self._pieces = cast("Iterator[bytes]", pieces)
        self._watch = watch
        self._seconds = seconds
        self._writing = Deadline(total=float("inf"), how=socket.SHUT_RDWR)
        self._writing.watch_socket(client)

    def __iter__(self) -> Iterator[bytes]:
        writing, written = self._writing, 0
        self._watch.add(writing)
        for body in self._pieces:
            if (written := written + len(body)) > _BYTES_BETWEEN_PAUSES:
                written = 0
                LARGE_WORK.wait()
            # An event of a stream is one piece; a loop for it took 1 µs.
            if len(body) <= PIECE_BYTES:
                writing.deadline = time.monotonic() + self._seconds
                yield body
            else:
                for start in range(0, len(body), PIECE_BYTES):
                    writing.deadline = time.monotonic() + self._seconds
                    yield body[start : start + PIECE_BYTES]
            # Next is a wait for the upstream, not for the client.
            writing.deadline = float("inf")

    def close(self) -> None:
        """Stop watching the client."""
        self._watch.remove(self._writing)
