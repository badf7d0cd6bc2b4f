"""Reads the body of an upstream's answer: whole, or piece by piece as it comes in."""

import http.client
import io
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import requests
import urllib3

from llm_api.upstream import faults

MAX_BODY_BYTES = 32 << 20
_READ_BYTES = 65_536
_CRLF_BYTES = 2


class SocketReader(io.RawIOBase):
    """Reads from a socket.

    `socket.SocketIO` refuses to go on after a time-out; this can wait a while, do something else
    and wait again. While `is_paused` it says that there is nothing to read, without a look.
    """

    class Source:
        """What http.client takes for a socket: all it wants of one is this method."""

        def __init__(self, upstream_socket: socket.socket) -> None:
            """Take the socket to read from."""
            self._socket = upstream_socket

        def makefile(self, _mode: str) -> io.BufferedReader:
            """Return a reader with room for all that a socket usually has at once."""
            return io.BufferedReader(SocketReader(self._socket), _READ_BYTES)

    def __init__(self, upstream_socket: socket.socket) -> None:
        """Take the socket to read from; it is closed by its connection."""
        super().__init__()
        self.socket = upstream_socket
        self.is_paused = False

    def readable(self) -> Literal[True]:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fill the buffer with what comes next."""
        return None if self.is_paused else self.socket.recv_into(buffer)


def read_body(response: requests.Response, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read the whole body, at most `max_bytes` after inflating; raises faults.Fault."""
    body = b"".join(_pieces(response, _reader(response).read, max_bytes))
    raw = cast("http.client.HTTPResponse", response.raw)
    if raw.length:  # http.client's read(n) does not complain about a missing rest
        raise _broken(response, http.client.IncompleteRead(b""))
    return body


def read_pieces(
    response: requests.Response, *, idle: float, tick: float, max_bytes: int = MAX_BODY_BYTES
) -> Iterator[bytes]:
    """Yield the body as it comes in, at most `max_bytes` in all, and b"" after `tick` s of silence.

    Raises faults.Fault, also after `idle` seconds of silence.
    """
    if _is_compressed(response):
        return _pieces(response, _reader(response).read1, max_bytes)
    arriving = _Arriving(response, idle, tick)
    return _pieces(response, arriving.read, max_bytes, arriving.is_over)


def drain(response: requests.Response, seconds: float) -> None:
    """Read the end of a body that is due, so that its connection can be used again."""
    if not _is_compressed(response):
        arriving = _Arriving(response, seconds, seconds)
        try:
            while arriving.read(_READ_BYTES):
                pass
        except (OSError, http.client.HTTPException):
            cast("http.client.HTTPResponse", response.raw).will_close = True


class _Arriving:
    """Reads what has come, and all of it."""

    def __init__(self, response: requests.Response, idle: float, tick: float) -> None:
        self._raw = cast("http.client.HTTPResponse", response.raw)
        self._idle = idle
        self._tick = tick
        self._silent_since = time.monotonic()

    def is_over(self) -> bool:
        """Whether the body has been read to its end."""
        return self._raw.isclosed() or self._raw.length == 0

    def read(self, limit: int) -> bytes:
        """Wait for the next bytes and return them; b"" where none came for a tick, or at the end.

        Raises TimeoutError when the peer has been silent for too long.
        """
        if not self._wait():
            return b""
        pieces = [self._raw.read1(limit)]
        size = len(pieces[0])
        while size < limit and not self.is_over() and self._has_more():
            pieces.append(self._raw.read1(limit - size))
            size += len(pieces[-1])
        self._silent_since = time.monotonic()
        return b"".join(pieces)

    def _wait(self) -> bool:
        """Wait until there is something to read."""
        if self.is_over():
            return True
        self._toss_chunk_end()
        reader = self._reader
        left = self._silent_since + self._idle - time.monotonic()
        if left <= 0:
            raise TimeoutError
        reader.socket.settimeout(min(self._tick, left))
        try:
            self._raw.fp.peek(1)
        except TimeoutError:
            return False
        finally:
            reader.socket.settimeout(self._idle)
        return True

    def _has_more(self) -> bool:
        """Whether more can be read at once, without waiting."""
        reader = self._reader
        reader.is_paused = True
        try:
            ahead = self._raw.fp.peek(1)
            if self._raw.chunk_left == 0:
                # The line that says how long the next chunk is must be there as a whole.
                return b"\n" in ahead[_CRLF_BYTES:]
            return bool(ahead)
        finally:
            reader.is_paused = False

    def _toss_chunk_end(self) -> None:
        """Take the CRLF behind a chunk, which otherwise looks like something to read."""
        if self._raw.chunk_left == 0:
            self._raw.fp.read(_CRLF_BYTES)
            self._raw.chunk_left = None

    @property
    def _reader(self) -> SocketReader:
        return cast("SocketReader", self._raw.fp.raw)


def _is_compressed(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity").lower() != "identity"


def _reader(response: requests.Response) -> Any:
    """Return the body's reader, which inflates what came compressed although nobody asked."""
    if not _is_compressed(response):
        return response.raw
    return urllib3.HTTPResponse(
        body=response.raw,
        headers=dict(response.headers),
        preload_content=False,
        decode_content=True,
        request_method="POST",
    )


def _pieces(
    response: requests.Response,
    read: Callable[[int], bytes],
    max_bytes: int,
    is_over: Callable[[], bool] = lambda: True,
) -> Iterator[bytes]:
    total = 0
    while True:
        try:
            piece = read(_READ_BYTES)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            raise _broken(response, error) from error
        if not piece and is_over():
            return
        total += len(piece)
        if total > max_bytes:
            raise faults.too_large()
        yield piece


def _broken(response: requests.Response, error: Exception) -> faults.Fault:
    """Translate, and keep the connection from being used again.

    http.client counts an answer that broke off as closed, just as one that was read to its end.
    """
    cast("http.client.HTTPResponse", response.raw).will_close = True
    return faults.while_reading(error)
