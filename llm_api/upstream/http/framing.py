"""Takes the framing off a body that comes in by and by: chunked, of a given length, or to the end.

http.client reads a chunk in several steps and waits in each; it cannot be interrupted by a
time-out without losing its place. Source of the rules: RFC 9112, 7.1.
"""

import re
from http.client import IncompleteRead
from typing import Protocol

# No server writes longer lines; without a limit a broken one would be read for ever.
_MAX_LINE = 4_096
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
        pieces = []
        data = self._tail + data
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
