"""An incremental parser for server-sent events.

Right for any split of the bytes: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
(section 9.2.6). `requests.iter_lines` is not used because it splits an event in two
when CR and LF fall into different reads (psf/requests#3980).
"""

import re
from collections.abc import Iterator

MAX_EVENT_BYTES = 1 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """An event is larger than the parser may buffer."""


class EventParser:
    """Takes bytes as they come and gives the `data` of every complete event."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """Buffer at most `max_event_bytes` of one event."""
        self._max_event_bytes = max_event_bytes
        self._tail: list[bytes] = []  # joined once a line: joining at every read is quadratic
        self._tail_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._ended_on_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of the events that `chunk` completes.

        Raises EventTooLarge.
        """
        if not chunk:
            return
        if self._ended_on_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._ended_on_cr = False
            if not chunk:
                return
        self._ended_on_cr = chunk.endswith(b"\r")
        first, *lines = _LINE_END.split(chunk)
        self._tail.append(first)
        self._tail_bytes += len(first)
        if lines:
            *lines, rest = [b"".join(self._tail), *lines]
            self._tail, self._tail_bytes = [rest], len(rest)
            for line in lines:
                yield from self._take_line(line)
        if self._tail_bytes + self._data_bytes > self._max_event_bytes:
            raise EventTooLarge

    def end(self) -> Iterator[bytes]:
        """Yield the last event of a stream that ended without the blank line.

        The standard discards it; several upstreams end on `data: [DONE]` without one.
        """
        yield from self._take_line(b"".join(self._tail))
        yield from self._take_line(b"")
        self._tail, self._tail_bytes = [], 0

    def _take_line(self, line: bytes) -> Iterator[bytes]:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                event, self._data, self._data_bytes = b"\n".join(self._data), [], 0
                yield event
        elif line == b"data" or line.startswith(b"data:"):
            value = line[5:].removeprefix(b" ")
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > self._max_event_bytes:
                raise EventTooLarge
