"""Reads the body of an upstream's answer: whole, or piece by piece as it comes in."""

import contextlib
import time
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

import urllib3
from requests import Response
from requests.structures import CaseInsensitiveDict

from llm_api.runtime.receiving import Receiver, receiver_of
from llm_api.upstream import faults
from llm_api.upstream.http.framing import RawBody
from llm_api.upstream.http.response_head import READ_BYTES, ResponseHead
from llm_api.upstream.http.sse import BOM, is_stream

MAX_BODY_BYTES = 32 << 20
# Of a stream that is passed on: it may have several pictures, and no more than one is ever held.
MAX_STREAM_BYTES = 512 << 20
_BLANKS = b" \t\r\n"


class UpstreamResponse(Response):
    """An answer whose body is unread.

    requests' own form of it costs 0.02 ms of CPU a call, for a jar of cookies and a dictionary of
    headers that are looked at in errors alone.
    """

    raw: RawBody
    reason = ""
    url = ""

    def __init__(self, head: ResponseHead, raw: RawBody) -> None:
        """Answer with a head, and a body that is still to come."""
        self.status_code = head.status
        self.is_compressed = head.is_compressed
        self.raw = raw
        self._fields = head.fields

    @property
    def headers(self) -> CaseInsensitiveDict[str]:  # type: ignore[override]  # requests sets it
        """The headers, of a name that comes twice the last."""
        return CaseInsensitiveDict(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in self._fields
        )


def read_body(response: UpstreamResponse, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read the whole body, at most `max_bytes` after inflating; raises faults.Fault."""
    read = _inflating(response).read if response.is_compressed else None
    pieces: list[bytes] = []
    total = 0
    while piece := _received(response.raw, read):
        total += len(piece)
        if total > max_bytes:
            raise faults.too_large()
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _received(raw: RawBody, read: Any) -> bytes:
    """Return the next bytes, through what inflates them where they are compressed."""
    try:
        piece: bytes = raw.receive() if read is None else read(READ_BYTES)
    except (OSError, HTTPException, urllib3.exceptions.HTTPError) as error:
        raise faults.while_reading(error) from error
    return piece


def _inflating(response: UpstreamResponse) -> urllib3.HTTPResponse:
    """Return a reader that inflates a body that came compressed without being asked for."""
    return urllib3.HTTPResponse(
        body=response.raw,  # type: ignore[arg-type]  # as good as a file
        headers=dict(response.headers),
        preload_content=False,
        decode_content=True,
        request_method="POST",
    )


class IncomingBody:
    """A body that is read as it comes in."""

    def __init__(
        self,
        response: UpstreamResponse,
        *,
        idle: float,
        tick: float,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """Read the body of an answer.

        Args:
            response: its body must be unread.
            idle: seconds of silence after which the upstream is given up.
            tick: seconds of silence after which `next_piece` returns an empty piece.
            max_bytes: of the body, after inflating.
        """
        self._raw = response.raw
        self._idle = idle
        self._tick = min(tick, idle)
        self._bound = self._tick  # the silence that is noticed next
        self._silence = 0.0
        self._left = max_bytes
        self._inflated: Iterator[bytes] | None = None
        self._receiver: Receiver | None = None
        if response.is_compressed:
            # urllib3 cannot go on after a time-out, so that silences stay unnoticed. What inflates
            # to more than an answer may have is a bomb.
            self._left = min(max_bytes, MAX_BODY_BYTES)
            read = _inflating(response).read1
            self._inflated = iter(lambda: _received(response.raw, read), b"")
        else:
            self._receiver = receiver_of(response.raw.socket, self._tick)
            response.raw.read_through(self._receiver)

    def next_piece(self) -> bytes | None:
        """Return what has come, all of it at once; None at the end.

        Returns b"" after each `tick` seconds of silence. Raises faults.Fault, also after `idle`
        seconds of silence. A method and not a generator, as are its callers on the way of a stream:
        each frame of a generator between a socket's wait and the client lies on the C stack, which
        a switch of greenlets copies.
        """
        if self._inflated is not None:
            piece = next(self._inflated, None)
        else:
            try:
                piece = self._received()
            except TimeoutError as error:
                self._record_silence(error)
                return b""
            except (OSError, HTTPException) as error:
                raise faults.while_reading(error) from error
        if piece:
            self._left -= len(piece)
            if self._left < 0:
                raise faults.too_large()
        return piece

    def _received(self) -> bytes | None:
        raw = self._raw
        while True:
            piece = raw.receive_some()
            if self._silence:
                self._silence = 0.0
                self._bound_silence(self._tick)
            if piece:
                return piece
            if raw.is_over:
                return None

    def _bound_silence(self, seconds: float) -> None:
        self._bound = seconds
        if self._receiver is not None:
            self._receiver.bound_silence(seconds)

    def unread(self, piece: bytes) -> None:
        """Give back the beginning of the body, so that it is returned once more."""
        self._left += len(piece)
        if self._inflated is None:
            self._raw.unread(piece)
        else:
            self._inflated = _chained(piece, self._inflated)

    def hasten(self, tick: float) -> None:
        """Notice a silence sooner from now on: the end of the body is due."""
        if tick < self._tick:
            self._tick = tick
            self._bound_silence(tick)

    def _record_silence(self, error: TimeoutError) -> None:
        self._silence += self._bound
        if self._silence >= self._idle:
            raise faults.while_reading(error) from error
        self._bound_silence(min(self._tick, self._idle - self._silence))

    def close(self) -> None:
        """Watch for silences no more."""
        if self._receiver is not None:
            self._receiver.close()

    def drain(self, seconds: float) -> None:
        """Read the end of a body that is due, so that its connection can be used again."""
        if self._inflated is not None or self._raw.is_over:
            return
        self._idle = self._tick = seconds
        self._bound_silence(seconds)
        ends_at = time.monotonic() + seconds
        with contextlib.suppress(faults.Fault):
            while self.next_piece() is not None:
                if time.monotonic() >= ends_at:
                    return


def _chained(piece: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield piece
    yield from pieces


def is_plain(response: UpstreamResponse) -> bool:
    """Whether a body whose first bytes are there, or come, is no stream of events.

    False where that cannot be told yet. Raises faults.Fault.
    """
    if response.is_compressed:
        return False
    beginning = _received(response.raw, None)
    response.raw.unread(beginning)
    return beginning[:1] == b"{" or (is_stream(beginning) is False and beginning[:1] != BOM[:1])


def read_rest(body: IncomingBody, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read what is left of a body, at most `max_bytes`; raises faults.Fault."""
    pieces, total = [], 0
    while (piece := body.next_piece()) is not None:
        pieces.append(piece)
        total += len(piece)
        if total > max_bytes:
            raise faults.too_large()
    return b"".join(pieces)


def is_event_stream(body: IncomingBody) -> bool:
    """Whether a body is a stream of events, as its first bytes say; raises faults.Fault.

    Blanks and the mark of UTF-8 before it are left out.
    """
    beginning = b""
    while (piece := body.next_piece()) is not None:
        # Blanks before it are a keep-alive.
        beginning = (beginning + piece).lstrip(_BLANKS)
        if (known := is_stream(beginning)) is not None:
            body.unread(beginning.removeprefix(BOM))
            return known
    body.unread(beginning)
    return False
