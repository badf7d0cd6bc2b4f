"""Says where an upstream's answer ends: parses its head, and takes the framing off its body.

http.client asks the parser of the email package for a head, which is made for letters: 0.1 ms of
CPU a call, where this takes 0.01. And it reads a chunk in several steps and waits in each, so that
a time-out loses its place. What it reads otherwise than RFC 9112 asks of who passes messages on is
refused here, because the two ends could disagree on where an answer ends:

* folded lines (5.2), bare CR or LF (2.2), NUL, blanks before a colon (5.1) and lines without one;
* a length that is no number, and several that differ (6.3);
* any transfer coding but `chunked` and `identity` (6.1).

An answer with both a length and chunks is read by its chunks, and its connection not used again.
"""

import re
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import NamedTuple, Protocol

# http.client's limit, too; one of our own is that of all lines together.
_MAX_FIELDS = 100
MAX_HEAD_BYTES = 131_072
READ_BYTES = 65_536
_END = b"\r\n\r\n"
_BEGINNING = b"HTTP/1."
_BARE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")
_STATUS = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: [^\r\n]*)?\r\n")
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*")
_FIELD = re.compile(rb"([^:\r\n]+):([^\r\n]*)\r\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CONTINUE = 100
_SUCCESS = 200
_WITHOUT_BODY = frozenset([204, 304])
# No server writes longer lines; without a limit a broken one would be read for ever.
_MAX_LINE = 4_096
_BEFORE_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class MalformedHead(HTTPException):
    """What came is not the head of an HTTP answer, or one that can be read in two ways."""


class ResponseHead(NamedTuple):
    """The head of an answer.

    `length` is that of the body, None where its chunks or the end of the connection say where it
    ends. `will_close` says that the connection cannot be used again.
    """

    status: int
    fields: list[tuple[bytes, bytes]]
    length: int | None
    is_chunked: bool
    will_close: bool
    is_compressed: bool


class Receiving(Protocol):
    """The part of a socket that an answer is read from."""

    def recv(self, size: int, /) -> bytes:
        """Wait for bytes and return them; b"" at the end of the connection."""


def receive_head(upstream: Receiving) -> tuple[ResponseHead, bytes]:
    """Wait for the head of an answer; return it, and what of the body has come with it.

    Raises OSError, MalformedHead, or http.client's RemoteDisconnected where nothing came at all.
    """
    received, read, searched = bytearray(), 0, 0
    while True:
        # From where the last search ended: a head that trickles in costs no more than another.
        end = received.find(_END, max(0, searched - len(_END)))
        if end >= 0:
            head = parse_head(bytes(received[: end + len(_END)]))
            del received[: end + len(_END)]
            searched = 0
            if head.status != _CONTINUE:
                return head, bytes(received)
            continue
        if read > MAX_HEAD_BYTES or not _may_begin(received, searched):
            raise MalformedHead
        searched = len(received)
        data = upstream.recv(READ_BYTES)
        if not data:
            raise MalformedHead if read else RemoteDisconnected
        read += len(data)
        received += data


def _may_begin(received: bytearray, searched: int) -> bool:
    """Whether a head may begin like this: what is none is not waited for."""
    start = received[: len(_BEGINNING)]
    return start == _BEGINNING[: len(start)] and not _BARE.search(received, max(0, searched - 1))


def parse_head(head: bytes) -> ResponseHead:
    """Parse a head with its blank line; raises MalformedHead."""
    status_line = _STATUS.match(head)
    if status_line is None:
        raise MalformedHead
    start, end = status_line.end(), len(head) - 2
    if _FIELDS.fullmatch(head, start, end) is None:
        raise MalformedHead
    fields = [(n.lower(), v.strip(b" \t")) for n, v in _FIELD.findall(head, start, end)]
    if len(fields) > _MAX_FIELDS:
        raise MalformedHead
    named = dict(fields)
    if len(named) < len(fields):  # else there is no name twice: spares four searches a call
        named = {name: _combined(fields, name) for name in named}
    return _framed(int(status_line[2]), status_line[1] == b"0", fields, named)


def _combined(fields: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    """Join the values of a field; the same length twice is one."""
    values = [value for other, value in fields if other == name]
    return b", ".join(dict.fromkeys(values) if name == b"content-length" else values)


def _framed(
    status: int,
    is_old: bool,  # noqa: FBT001  # HTTP/1.0
    fields: list[tuple[bytes, bytes]],
    named: dict[bytes, bytes],
) -> ResponseHead:
    """Decide where the body ends (RFC 9112, 6.3), and what becomes of the connection (9.3)."""
    given, coding = named.get(b"content-length"), named.get(b"transfer-encoding")
    if given is not None and _LENGTH.fullmatch(given) is None:
        raise MalformedHead
    if coding is not None and coding.lower() == b"identity":  # a word for none, RFC 2616
        coding = None
    if coding is not None and coding.lower() != b"chunked":
        raise MalformedHead
    length = None if given is None or coding is not None else int(given)
    connection = named.get(b"connection", b"").lower()
    will_close = b"close" in connection or (is_old and b"keep-alive" not in connection)
    if status in _WITHOUT_BODY or status < _SUCCESS:
        # Behind an interim answer comes another one, which nobody would expect.
        will_close |= status < _SUCCESS or coding is not None
        length, coding = 0, None
    elif coding is not None:
        will_close |= given is not None or is_old
    elif length is None:
        will_close = True
    is_compressed = named.get(b"content-encoding", b"identity").lower() != b"identity"
    return ResponseHead(status, fields, length, coding is not None, will_close, is_compressed)


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

    def __init__(self, *, one_by_one: bool = False) -> None:
        """Expect the first size; `one_by_one` returns no more than one chunk for a `feed`."""
        self._one_by_one = one_by_one
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
                if self._one_by_one:
                    self._tail = data[position:]
                    return piece
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


def framing_of(head: ResponseHead) -> Framing:
    """Return what takes the framing off the body behind a head."""
    if head.is_chunked:
        # Of a compressed body that breaks, what came in the chunks before is passed on.
        return Chunked(one_by_one=head.is_compressed)
    return UntilClosed() if head.length is None else OfLength(head.length)
