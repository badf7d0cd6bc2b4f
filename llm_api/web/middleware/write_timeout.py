"""Sends large and streamed bodies in pieces, and cuts off a client that does not read them.

Without this a client that asks and never reads would hold its call, its place at the upstream and,
under threads, its worker for ever.
"""

import socket
import time
from collections.abc import Iterator
from typing import cast

from flask import Flask, Response, current_app, request

from llm_api.runtime.deadlines import Deadline, DeadlineWatcher
from llm_api.web.request.context import services

TIMEOUT_SETTING = "CLIENT_WRITE_TIMEOUT"
# A client that takes 1 KB a second takes a piece in 16 s: less than the 30 s it has for each.
PIECE_BYTES = 16_384
# A write that fits into the socket's buffer does not wait: without a pause in between, somebody who
# fetches much at once would hold up all others.
_BYTES_BETWEEN_PAUSES = 65_536


def register_write_timeout(app: Flask, seconds: float) -> None:
    """Give a client so many seconds to take each piece of a body."""
    app.config[TIMEOUT_SETTING] = seconds
    app.after_request(_guard)


def _guard(response: Response) -> Response:
    client = request.environ.get("gunicorn.socket")
    # A small body fits into the socket's own buffer: nobody waits for it to be read.
    is_small = response.is_sequence and (response.content_length or 0) <= PIECE_BYTES
    if client is None or is_small or request.method == "HEAD":
        return response
    length = response.headers.get("Content-Length")
    seconds = cast("float", current_app.config[TIMEOUT_SETTING])
    # Read in pieces, and not handed to the kernel as a file, so that somebody can look after it.
    response.direct_passthrough = False
    response.response = _GuardedBody(response.response, client, services().watch, seconds)
    if length is not None:
        response.headers["Content-Length"] = length
    return response


class _GuardedBody:
    """A body whose client has so many seconds for each piece."""

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
                time.sleep(0)
            for start in range(0, len(body), PIECE_BYTES):
                writing.deadline = time.monotonic() + self._seconds
                yield body[start : start + PIECE_BYTES] if len(body) > PIECE_BYTES else body
            # The next wait is for the upstream, and not for the client.
            writing.deadline = float("inf")

    def close(self) -> None:
        """Let go of the body."""
        self._watch.remove(self._writing)
        if hasattr(self._pieces, "close"):
            self._pieces.close()
