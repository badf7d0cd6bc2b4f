"""Reads the body of an upstream's answer: whole, or piece by piece as it comes in."""

import contextlib
import itertools
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import urllib3
from requests import Response
from requests.structures import CaseInsensitiveDict

from llm_api.runtime.receiving import Receiver, receiver_of
from llm_api.upstream import faults
from llm_api.upstream.http.framing import (
    READ_BYTES,
    Framing,
    OfLength,
    Receiving,
    ResponseHead,
    framing_of,
)
from llm_api.upstream.http.sse import BOM, is_stream

MAX_BODY_BYTES = 32 << 20
# Of a stream that is passed on: it may have several pictures, and no more than one is ever held.
MAX_STREAM_BYTES = 512 << 20
_ENDED: Framing = OfLength(0)


class RawBody:
    """The body of an answer without its framing; for urllib3, which inflates it, a file."""

    __slots__ = ("_came", "_framing", "_may_be_fed", "_pending", "_source", "_will_close", "socket")

    def __init__(self, upstream_socket: Any, head: ResponseHead, came: bytes = b"") -> None:
        """Read from a socket, after what `came` together with the head."""
        self.socket = upstream_socket
        self._source: Receiving = upstream_socket
        self._will_close = head.will_close
        self._came = came
        self._pending = b""  # without framing, and not asked for yet
        if came and head.length == len(came):  # the whole body, as of most answers
            self._came, self._pending = b"", came
            self._framing, self._may_be_fed = _ENDED, False
            return
        self._framing = framing_of(head)
        self._may_be_fed = head.is_compressed  # it gives its chunks one by one
        if self._framing.is_over:
            self._will_close |= bool(came)

    @property
    def is_over(self) -> bool:
        """Whether all of it was received."""
        return self._framing.is_over and not self._pending

    @property
    def is_reusable(self) -> bool:
        """Whether another answer may follow on the connection, and nothing stands before it."""
        return self.is_over and not self._will_close

    def receive_some(self) -> bytes:
        """Wait for bytes from the socket once, and return what of the body is in them.

        They can be none: a part of the framing, or the end. Raises OSError or IncompleteRead.
        """
        if self._pending:
            pending, self._pending = self._pending, b""
            return pending
        framing = self._framing
        if framing.is_over:
            return b""
        body = framing.feed(b"") if self._may_be_fed else b""
        if not body and not framing.is_over:
            data = self._came or self._source.recv(READ_BYTES)
            self._came = b""
            body = framing.feed(data) if data else framing.end()
        if framing.is_over and framing.has_excess:
            self._will_close = True
        return body

    def read_through(self, receiver: Receiving) -> None:
        """Receive through what waits for the socket in another way."""
        self._source = receiver

    def receive(self) -> bytes:
        """Wait for bytes of the body and return them; b"" at its end only."""
        while not self.is_over:
            if body := self.receive_some():
                return body
        return b""

    def unread(self, body: bytes) -> None:
        """Give back what was received last."""
        self._pending = body + self._pending

    def read1(self, size: int) -> bytes:
        """Return at most `size` bytes, as a file does."""
        body = self.receive()
        if len(body) > size:
            self.unread(body[size:])
        return body[:size]

    read = read1

    def close(self) -> None:
        """Do nothing: the connection is closed by who lent it."""


class UpstreamResponse(Response):
    """An answer whose body is unread.

    requests' own costs 0.02 ms of CPU a call more, for headers that only errors need, and cookies.
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
    read = inflating(response).read if response.is_compressed else None
    pieces: list[bytes] = []
    total = 0
    while piece := received(response.raw, read):
        total += len(piece)
        if total > max_bytes:
            raise faults.too_large()
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def received(raw: RawBody, read: Any) -> bytes:
    """Return the next bytes, through what inflates them where they are compressed."""
    try:
        piece: bytes = raw.receive() if read is None else read(READ_BYTES)
    except (OSError, HTTPException, urllib3.exceptions.HTTPError) as error:
        raise faults.while_reading(error) from error
    return piece


def inflating(response: UpstreamResponse) -> urllib3.HTTPResponse:
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the body of an answer.

        Args:
            response: its body must be unread.
            idle: seconds of silence after which the upstream is given up.
            tick: seconds of silence after which `next_piece` returns an empty piece.
            max_bytes: of the body, after inflating.
            clock: monotonic time in seconds.
        """
        self._raw = response.raw
        self._clock = clock
        self._idle = idle
        self._tick = min(tick, idle)
        self._bound = self._tick  # the silence that is noticed next
        self._silence = 0.0
        self._left = max_bytes
        self._inflated: Any = None
        self._receiver: Receiver | None = None
        if response.is_compressed:
            # urllib3 cannot go on after a time-out, so that silences stay unnoticed. What inflates
            # to more than an answer may have is a bomb.
            self._left = min(max_bytes, MAX_BODY_BYTES)
            read = inflating(response).read1
            self._inflated = iter(lambda: received(response.raw, read), b"")
        else:
            self._receiver = receiver_of(response.raw.socket, self._tick)
            response.raw.read_through(self._receiver)

    def next_piece(self) -> bytes | None:
        """Return what has come, all of it at once; None at the end.

        Returns b"" after each `tick` seconds of silence. Raises faults.Fault, also after `idle`
        seconds of silence. No generator, see `relay.SuspendedBatches`.
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
            self._inflated = itertools.chain([piece], self._inflated)

    def rest(self) -> bytes:
        """Read what is left of a body that is no stream; raises faults.Fault."""
        self._left = min(self._left, MAX_BODY_BYTES)
        return b"".join(iter(self.next_piece, None))

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
        ends_at = self._clock() + seconds
        with contextlib.suppress(faults.Fault):
            while self.next_piece() is not None:
                if self._clock() >= ends_at:
                    return


def is_plain(response: UpstreamResponse) -> bool:
    """Whether a body whose first bytes are there, or come, is no stream of events.

    False where that cannot be told yet. Raises faults.Fault.
    """
    if response.is_compressed:
        return False
    beginning = received(response.raw, None)
    response.raw.unread(beginning)
    return beginning[:1] == b"{" or (is_stream(beginning) is False and beginning[:1] != BOM[:1])
