"""Takes the framing off a body that comes in by and by: chunked, of a given length, or to the end.

http.client reads a chunk in several steps and waits in each; it cannot be interrupted by a
time-out without losing its place. Source of the rules: RFC 9112, 7.1.
"""

import re
from http.client import IncompleteRead
from typing import Any, Protocol

from llm_api.upstream.http.response_head import READ_BYTES, Receiving, ResponseHead

# No server writes longer lines; without a limit a broken one would be read for ever.
_MAX_LINE = 4_096
_BEFORE_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class Framing(Protocol):
    """Decodes the bytes of one body."""

    is_over: bool
    has_excess: bool

    def feed(self, data: bytes) -> bytes:
        """Return the body's part of the next bytes; raises IncompleteRead."""

    def end(self) -> bytes:
        """Handle the end of the connection; raises IncompleteRead if the body is incomplete."""


class UntilClosed:
    """A body that ends with its connection."""

    is_over = False
    has_excess = False

    def feed(self, data: bytes) -> bytes:
        """Return everything."""
        return data

    def end(self) -> bytes:
        """Be content."""
        self.is_over = True
        return b""


class OfLength:
    """A body of so many bytes."""

    def __init__(self, length: int) -> None:
        """Expect a body of `length` bytes."""
        self._left = length
        self.is_over = length == 0
        self.has_excess = False

    def feed(self, data: bytes) -> bytes:
        """Return what belongs to the body."""
        self.has_excess = len(data) > self._left
        body = data[: self._left]
        self._left -= len(body)
        self.is_over = self._left == 0
        return body

    def end(self) -> bytes:
        """Complain about a missing rest."""
        raise IncompleteRead(b"")


class Chunked:
    """A body in chunks, each with its size before it; trailers are read and dropped."""

    def __init__(self) -> None:
        """Expect the first size."""
        self.is_over = False
        self.has_excess = False
        self._tail = b""  # a line that has not ended
        self._left = 0  # bytes of the current chunk that are still to come
        self._is_behind_chunk = False
        self._is_in_trailers = False

    def feed(self, data: bytes) -> bytes:
        """Return the chunks' contents; raises IncompleteRead."""
        # Nearly always one whole chunk has come: the general way takes five times as long.
        if not (self._tail or self._left or self._is_behind_chunk or self._is_in_trailers):
            size = _BEFORE_CHUNK.match(data)
            if (
                size is not None
                and len(data) == size.end() + int(size[1], 16) + 2
                and len(data) > size.end() + 2
                and data.endswith(b"\r\n")
            ):
                return data[size.end() : -2]
        return self._fed(self._tail + data)

    def _fed(self, data: bytes) -> bytes:
        pieces = []
        position = 0
        while position < len(data) and not self.is_over:
            if self._left:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
                self._is_behind_chunk = not self._left
                continue
            end = data.find(b"\n", position)
            if end < 0:
                break
            self._take_line(data[position : end + 1])
            position = end + 1
        self._tail = data[position:]
        self.has_excess = self.is_over and bool(self._tail)
        if not self.is_over and len(self._tail) > _MAX_LINE:
            raise IncompleteRead(b"")
        return b"".join(pieces)

    def _take_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            raise IncompleteRead(b"")
        if self._is_behind_chunk:
            if line != b"\r\n":
                raise IncompleteRead(b"")
            self._is_behind_chunk = False
        elif self._is_in_trailers:
            self.is_over = line == b"\r\n"
        elif (size := _SIZE_LINE.fullmatch(line[:-2])) is not None:
            self._left = int(size[1], 16)
            self._is_in_trailers = not self._left
        else:
            raise IncompleteRead(b"")

    def end(self) -> bytes:
        """Complain about missing chunks."""
        raise IncompleteRead(b"")


class RawBody:
    """The body of an answer as it comes from its socket, without the framing.

    urllib3 takes it for a file, to inflate what is compressed.
    """

    __slots__ = ("_came", "_framing", "_pending", "_source", "_will_close", "socket")

    def __init__(self, upstream_socket: Any, head: ResponseHead, came: bytes = b"") -> None:
        """Read from a socket, after what `came` together with the head."""
        self.socket = upstream_socket
        self._source: Receiving = upstream_socket
        self._will_close = head.will_close
        self._came = came
        self._pending = b""  # without framing, and not asked for yet
        self._framing = _framing(head)
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

    def isclosed(self) -> bool:
        """Whether there is nothing more to read, as http.client's answers say it."""
        return self.is_over


def _framing(head: ResponseHead) -> Framing:
    if head.is_chunked:
        return Chunked()
    return UntilClosed() if head.length is None else OfLength(head.length)
