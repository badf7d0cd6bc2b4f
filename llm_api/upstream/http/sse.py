"""An incremental parser for server-sent events.

Right for any split of the bytes: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
(section 9.2.6). `requests.iter_lines` is not used because it splits an event in two
when CR and LF fall into different reads (psf/requests#3980).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

# What an answer in one piece may have: image models put a picture of 2 to 20 MB into one event.
MAX_EVENT_BYTES = 32 << 20
_MAX_LINES = 65_536  # of an event: each takes memory, however short it is
_SMALL = 4_096
_BLANKS = b" \t\r\n"
_BEFORE = b"data: "
_BETWEEN = b"\n\ndata: "
_LINE_END = re.compile(rb"\r\n|\n|\r")
BOM = b"\xef\xbb\xbf"
_FIELD = re.compile(rb":|(?:data|event|id|retry)[:\r\n]|error: ?\{")
_IDLE = re.compile(rb"ping|pong|keep[-_ ]?alive|heart[-_ ]?beat")
_ERROR_FIELD = b"error: {"
_LONGEST_FIELD = len(b"event:")


class Beginning(Protocol):
    """A body of which nothing was read."""

    def next_piece(self) -> bytes | None:
        """Wait for bytes and return them; None at the end."""

    def unread(self, piece: bytes) -> None:
        """Give back the beginning."""


class ErrorEvent(bytes):
    """The data of an event that is named `error`, in whatever form."""

    __slots__ = ()


def is_stream(beginning: bytes) -> bool | None:
    """Whether a body that begins like this is a stream of events; None if more is needed to know.

    Its content type proves nothing: relays send streams as `application/json`, and the other way.
    """
    if BOM.startswith(beginning):
        return None
    start = beginning.removeprefix(BOM).lstrip()
    if _ERROR_FIELD.startswith(start):
        return None
    if len(start) < _LONGEST_FIELD and start[:1] in b":deir":
        return True if start.startswith(b":") else None
    return _FIELD.match(start) is not None


def is_event_stream(body: Beginning) -> bool:
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


class EventTooLarge(Exception):
    """An event is larger than the parser may buffer."""


def whole_events(chunk: bytes) -> list[bytes] | None:
    """Return the data of a chunk that is whole events of one `data` line each; None for any other.

    Nearly all chunks are. Going through their lines one by one takes four times as long.
    """
    if not (chunk.startswith(_BEFORE) and chunk.endswith(b"\n\n")) or b"\r" in chunk:
        return None
    data = chunk[len(_BEFORE) : -2]
    if b"\n" not in data:
        return [data] if data and not data.isspace() else None
    events = data.split(_BETWEEN)
    if any(b"\n" in event or not event or event.isspace() for event in events):
        return None
    return events


class EventParser:
    """Takes bytes as they come and gives the `data` of every complete event."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """Buffer at most `max_event_bytes` of one event."""
        self._max_event_bytes = max_event_bytes
        self._tail: list[bytes] = []  # of a line; joining all of it at every read is quadratic
        self._tail_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._is_error = False  # by the name of the event
        self._is_idle = False  # by its name: it keeps the connection alive
        self._ended_on_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """Return the data of the events that `chunk` completes; blank data is none.

        Raises EventTooLarge, where the data before it was looked at.
        """
        is_between = not (self._tail or self._data or self._is_error or self._is_idle)
        if is_between and not self._ended_on_cr and len(chunk) <= self._max_event_bytes:
            events = whole_events(chunk)
            if events is not None:
                self._at_start = False
                return events
        return self._fed(chunk)

    def _fed(self, chunk: bytes) -> Iterator[bytes]:
        for line in self._lines(chunk):
            event = self._take_line(line)
            if event is not None:
                yield event
        if self._tail_bytes + self._data_bytes > self._max_event_bytes:
            raise EventTooLarge

    def _lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that a chunk completes, and keep the rest."""
        if self._ended_on_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._ended_on_cr = False
        if not chunk:
            return []
        self._ended_on_cr = chunk.endswith(b"\r")
        # Nearly all write LF, and splitting at a byte takes a tenth of the time.
        *lines, rest = _LINE_END.split(chunk) if b"\r" in chunk else chunk.split(b"\n")
        if lines and self._tail:
            lines[0] = self._taken_tail(lines[0])
        if rest:
            self._keep(rest)
        return lines

    def _keep(self, rest: bytes) -> None:
        self._tail_bytes += len(rest)
        if self._tail and len(self._tail[-1]) < _SMALL:
            self._tail[-1] += rest  # each piece takes memory, however short it is
        else:
            self._tail.append(rest)

    def _taken_tail(self, end: bytes = b"") -> bytes:
        line = b"".join([*self._tail, end])
        self._tail, self._tail_bytes = [], 0
        return line

    def end(self) -> Iterator[bytes]:
        """Yield the last event of a stream that ended without the blank line.

        The standard discards it; several upstreams end on `data: [DONE]` without one.
        """
        for line in (self._taken_tail(), b""):
            event = self._take_line(line)
            if event is not None:
                yield event

    def _take_line(self, line: bytes) -> bytes | None:
        """Read a line and return the event that it completes, if it does."""
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(BOM)
        if not line:
            return self._completed()
        if line == b"data" or line.startswith(b"data:"):
            self._add(line[5:].removeprefix(b" "))
        elif line.startswith(b"event:"):
            name = line[6:].strip().lower()
            self._is_error = name == b"error"
            self._is_idle = _IDLE.fullmatch(name) is not None
        elif line.startswith((b"error:", b'{"error"')):  # llama.cpp's own field, and no field
            self._is_error = True
            self._add(line.removeprefix(b"error:").strip())
        return None

    def _add(self, value: bytes) -> None:
        self._data.append(value)
        self._data_bytes += len(value) + 1
        if self._data_bytes > self._max_event_bytes or len(self._data) > _MAX_LINES:
            raise EventTooLarge

    def _completed(self) -> bytes | None:
        is_error, self._is_error = self._is_error, False
        is_idle, self._is_idle = self._is_idle, False
        if not self._data:
            return None
        event, self._data, self._data_bytes = b"\n".join(self._data), [], 0
        if is_error:
            return ErrorEvent(event)
        if is_idle:
            return None
        # Relays keep connections alive by empty ones.
        return event if event and not event.isspace() else None
