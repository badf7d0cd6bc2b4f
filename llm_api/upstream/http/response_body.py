"""Reads the body of an upstream's answer: whole, or piece by piece as it comes in."""

import contextlib
import http.client
import itertools
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import requests
import urllib3
from urllib3.connection import HTTPConnection  # noqa: TC002  # one import block is enough

from llm_api.upstream import faults
from llm_api.upstream.http.framing import Chunked, Framing, OfLength, UntilClosed
from llm_api.upstream.http.sse import BOM, is_stream

MAX_BODY_BYTES = 32 << 20
# Of a stream that is passed on: it may have several pictures, and no more than one is ever held.
MAX_STREAM_BYTES = 512 << 20
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[^\n]*\n")
_READ_BYTES = 65_536


def read_body(response: requests.Response, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read the whole body, at most `max_bytes` after inflating; raises faults.Fault."""
    body = b"".join(_pieces(response, _reader(response).read, max_bytes))
    raw = cast("http.client.HTTPResponse", response.raw)
    if raw.length:  # http.client's read(n) does not complain about a missing rest
        raise _broken(response, http.client.IncompleteRead(b""))
    return body


class IncomingBody:
    """A body that is read as it comes in."""

    def __init__(
        self,
        response: requests.Response,
        *,
        idle: float,
        tick: float,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """Read the body of an answer.

        Args:
            response: its body must be unread.
            idle: seconds of silence after which the upstream is given up.
            tick: seconds of silence after which `pieces` yields an empty piece.
            max_bytes: of the body, after inflating.
        """
        self._response = response
        self._raw = cast("http.client.HTTPResponse", response.raw)
        self._socket = cast("HTTPConnection", response.connection).sock
        self._idle = idle
        self._tick = min(tick, idle)
        self._silence = 0.0
        self._max_bytes = max_bytes
        self._framing = _framing(self._raw)
        if self._framing.is_over:
            self._raw.close()  # there is no body; the connection can be used again
        # What came together with the headers lies in http.client's buffer.
        self._first = b"" if _is_compressed(response) else _buffered(response, self._socket)

    def pieces(self) -> Iterator[bytes]:
        """Yield what has come, all of it at once, and b"" after each `tick` seconds of silence.

        Raises faults.Fault, also after `idle` seconds of silence.
        """
        if _is_compressed(self._response):
            # urllib3 inflates; it cannot go on after a time-out, so that silences stay unnoticed.
            # What inflates to more than an answer may have is a bomb.
            most = min(self._max_bytes, MAX_BODY_BYTES)
            yield from _pieces(self._response, _reader(self._response).read1, most)
            return
        self._socket.settimeout(self._tick)
        total = 0
        while not self._framing.is_over:
            try:
                piece = self._read()
            except (OSError, http.client.HTTPException) as error:
                raise _broken(self._response, error) from error
            total += len(piece)
            if total > self._max_bytes:
                raise faults.too_large()
            if piece or not self._framing.is_over:
                yield piece

    def _read(self) -> bytes:
        """Wait for the next bytes and return them; b"" where none came for a tick, or at the end.

        Raises TimeoutError when the peer has been silent for too long.
        """
        body = b""
        while not body and not self._framing.is_over:
            try:
                data = self._first or self._socket.recv(_READ_BYTES)
            except TimeoutError:
                self._record_silence()
                return b""
            self._first = b""
            if self._silence:
                self._silence = 0.0
                self._socket.settimeout(self._tick)
            body = self._framing.feed(data) if data else self._framing.end()
        if self._framing.is_over:
            # http.client knows whether the connection can be used again.
            self._raw.will_close |= self._framing.has_excess
            self._raw.close()
        return body

    def hasten(self, tick: float) -> None:
        """Notice a silence sooner from now on: the end of the body is due."""
        self._tick = min(self._tick, tick)
        if not _is_compressed(self._response):
            self._socket.settimeout(self._tick)

    def _record_silence(self) -> None:
        self._silence += cast("float", self._socket.gettimeout())
        if self._silence >= self._idle:
            raise TimeoutError
        self._socket.settimeout(min(self._tick, self._idle - self._silence))

    def drain(self, seconds: float) -> None:
        """Read the end of a body that is due, so that its connection can be used again."""
        if _is_compressed(self._response):
            return
        self._idle = self._tick = seconds
        ends_at = time.monotonic() + seconds
        with contextlib.suppress(faults.Fault):
            for _ in self.pieces():
                if time.monotonic() >= ends_at:
                    return


def _framing(raw: http.client.HTTPResponse) -> Framing:
    if raw.chunked:
        return Chunked()
    return UntilClosed() if raw.length is None else OfLength(raw.length)


def _buffered(response: requests.Response, upstream_socket: socket.socket) -> bytes:
    """Return what http.client has read beyond the headers; raises faults.Fault."""
    raw = cast("http.client.HTTPResponse", response.raw)
    if raw.fp is None:  # there is no body
        return b""
    upstream_socket.settimeout(0)
    try:
        return raw.fp.read1(len(raw.fp.peek(1)))
    except ssl.SSLWantReadError:
        return b""
    except OSError as error:
        raise _broken(response, error) from error


def _is_compressed(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity").lower() != "identity"


def _reader(response: requests.Response) -> Any:
    """Return the body's reader, which inflates a body that came compressed without being asked."""
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
    response: requests.Response, read: Callable[[int], bytes], max_bytes: int
) -> Iterator[bytes]:
    raw = cast("http.client.HTTPResponse", response.raw)
    # urllib3's reader closes the answer when it is thrown away, read to its end or not.
    will_close, raw.will_close = raw.will_close, True
    total = 0
    while True:
        try:
            piece = read(_READ_BYTES)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            raise _broken(response, error) from error
        if not piece:
            raw.will_close = will_close
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


def is_plain(response: requests.Response) -> bool:
    """Whether a body whose first bytes are there, or come, is no stream of events.

    False where that cannot be told yet. Raises faults.Fault.
    """
    raw = cast("http.client.HTTPResponse", response.raw)
    if raw.fp is None or raw.length == 0 or _is_compressed(response):
        return False
    try:
        beginning = raw.fp.peek(1)
    except OSError as error:
        raise _broken(response, error) from error
    if raw.chunked:
        beginning = _first_chunk(beginning)
    return beginning[:1] == b"{" or (is_stream(beginning) is False and beginning[:1] != BOM[:1])


def _first_chunk(framed: bytes) -> bytes:
    size = _CHUNK_SIZE.match(framed)
    return b"" if size is None else framed[size.end() : size.end() + int(size[1], 16)]


def joined(pieces: Iterator[bytes], max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Join the pieces of a body of at most `max_bytes`; raises faults.Fault."""
    body, total = [], 0
    for piece in pieces:
        body.append(piece)
        total += len(piece)
        if total > max_bytes:
            raise faults.too_large()
    return b"".join(body)


def told_apart(pieces: Iterator[bytes]) -> tuple[bool, Iterator[bytes]]:
    """Return whether the pieces of a body are a stream of events, and all of the pieces.

    Raises faults.Fault.
    """
    beginning = b""
    for piece in pieces:
        # Blanks before it are a keep-alive.
        beginning = (beginning + piece).lstrip(b" \t\r\n")
        if (known := is_stream(beginning)) is not None:
            return known, itertools.chain([beginning.removeprefix(BOM)], pieces)
    return False, iter([beginning])
