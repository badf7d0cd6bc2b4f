"""A raw HTTP client that reads an answer while it comes in, and may leave in the middle."""

import socket
import struct
from types import TracebackType
from typing import Self

from tests.support.wire import (
    Headers,
    TruncatedMessageError,
    find_header,
    is_chunked,
    read_exactly,
    read_headers,
    read_line,
)

_LINGER_ZERO = struct.pack("ii", 1, 0)
_READ_SIZE = 65536


class LiveAnswer:
    """One exchange whose answer is read piece by piece; nothing of it is read unasked."""

    def __init__(
        self,
        address: tuple[str, int],
        payload: bytes,
        *,
        timeout: float = 30.0,
        receive_buffer: int | None = None,
    ) -> None:
        """Send the payload; `receive_buffer` is how much the kernel takes in for us, in bytes."""
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        self._socket.connect(address)
        self._socket.sendall(payload)
        self._reader = self._socket.makefile("rb")
        self._known_head: tuple[int, Headers] | None = None
        self._unread = b""
        self._is_over = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave."""
        self.leave()

    @property
    def _head(self) -> tuple[int, Headers]:
        # Not a cached_property: before Python 3.12 its lock is that of all answers in all threads.
        if self._known_head is None:
            status = int(read_line(self._reader).split(" ")[1])
            self._known_head = status, read_headers(self._reader)
        return self._known_head

    @property
    def status(self) -> int:
        """The status, which is waited for."""
        return self._head[0]

    @property
    def headers(self) -> dict[str, str]:
        """The headers, which are waited for."""
        return dict(self._head[1])

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        return find_header(self._head[1], name)

    def read_piece(self) -> bytes:
        """Wait for the next piece of the body; b"" is the body's end.

        A piece is a chunk of a chunked body. TruncatedMessageError when the body is cut.
        """
        if self._is_over:
            return b""
        piece = self._next_chunk() if is_chunked(self._head[1]) else self._next_bytes()
        self._is_over = self._is_over or not piece
        return piece

    def _next_chunk(self) -> bytes:
        length = int(read_line(self._reader).partition(";")[0], 16)
        piece = read_exactly(self._reader, length)
        read_line(self._reader)
        return piece

    def _next_bytes(self) -> bytes:
        length = self.header("Content-Length")
        if length is None:
            return self._reader.read1(_READ_SIZE)
        self._is_over = True
        return read_exactly(self._reader, int(length))

    def read_body(self) -> bytes:
        """Read to the body's end and return what was not read before."""
        pieces = [self._unread]
        self._unread = b""
        while piece := self.read_piece():
            pieces.append(piece)
        return b"".join(pieces)

    def read_line(self) -> bytes:
        """Wait for the next line of the body; b"" is the body's end."""
        while b"\n" not in self._unread:
            piece = self.read_piece()
            if not piece and self._unread:
                raise TruncatedMessageError("the body ended inside a line")
            if not piece:
                return b""
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return line + b"\n"

    def read_event(self) -> bytes:
        r"""Wait for the next event and return its data; b"" is the body's end.

        Only the form that every SDK reads will do, `data: …\n\n`: ValueError for any other.
        """
        line = self.read_line()
        if not line:
            return b""
        blank = self.read_line()
        if not line.startswith(b"data: ") or blank != b"\n":
            raise ValueError(f"no event: {(line + blank)[:200]!r}")
        return line.removeprefix(b"data: ").removesuffix(b"\n")

    def read_events(self) -> list[bytes]:
        """Read to the body's end and return the data of the events that were not read before."""
        return list(iter(self.read_event, b""))

    def say(self, more: bytes) -> None:
        """Send more bytes, in the middle of the answer."""
        self._socket.sendall(more)

    def closes(self) -> bool:
        """Wait, and tell whether the service closes the connection without another byte."""
        return not self._reader.read(1)

    def leave(self, *, with_reset: bool = False) -> None:
        """Close the connection, by FIN or by RST."""
        if with_reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._reader.close()
        self._socket.close()
