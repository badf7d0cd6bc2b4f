"""A logging handler that never delays a request: a thread writes the lines to standard error.

A pipe whose reader has stopped takes 64 KiB (pipe(7)) and then blocks its writers; under gevent
that is the whole worker. So lines are put into a queue, and a native thread of each process writes
them. When the queue is full, lines are dropped and counted; the next line that finds room follows
one that says how many were dropped.
"""

import logging
import os
import select
import time
from _queue import SimpleQueue  # the native one; `queue` has gevent's under this name
from collections.abc import Iterable, Iterator

from gevent.monkey import get_original

# The native ones, also under gevent: its replacements would stop with the loop.
_start_thread = get_original("_thread", "start_new_thread")
_sleep = get_original("time", "sleep")

STDERR = 2
MAX_LINES = 10_000
# The lines of so many seconds are written together: waking the thread for each, or every 5 ms, cost
# 40 µs of CPU a call.
_PAUSE_S = 0.05
_FLUSH_S = 1.0


class _Writer:
    """The queue of one process, and the thread that empties it.

    Each of the two counts belongs to one side, so that they need no lock.
    """

    def __init__(self, descriptor: int) -> None:
        self.pid = os.getpid()
        self._descriptor = descriptor
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._put = 0
        self._taken = 0

    @property
    def waiting(self) -> int:
        """How many lines are not written yet."""
        return self._put - self._taken

    def put(self, line: bytes) -> None:
        """Queue a line; never waits."""
        if not self._put:
            _start_thread(self._run, ())
        self._put += 1
        self._lines.put(line)

    def _run(self) -> None:
        while True:
            lines = [self._lines.get()]
            _sleep(_PAUSE_S)
            lines += [self._lines.get() for _ in range(self._lines.qsize())]
            for piece in _pieces(lines):
                self._write(piece)
            self._taken += len(lines)

    def _write(self, piece: bytes) -> None:
        while piece:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except BlockingIOError:  # another program has made the terminal or pipe non-blocking
                _sleep(_PAUSE_S)
            except OSError:  # no reader, or a full disk: there is no other place to report it
                return

    def flush(self, timeout: float) -> None:
        """Wait until all lines are written, at most `timeout` seconds."""
        ends_at = time.monotonic() + timeout
        last = self._put
        while self._taken < last and time.monotonic() < ends_at:
            _sleep(_PAUSE_S)


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines up to PIPE_BUF bytes: processes share a pipe, and such writes are atomic."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    yield piece


class QueueHandler(logging.Handler):
    """Queues log lines for the thread that writes them; `dropped` counts those that were lost."""

    def __init__(self, descriptor: int = STDERR, max_lines: int = MAX_LINES) -> None:
        """Queue nothing yet.

        Args:
            descriptor: the file descriptor that lines are written to.
            max_lines: lines that may wait; further ones are dropped.
        """
        super().__init__()
        self.dropped = 0
        self._unreported = 0
        self._descriptor = descriptor
        self._max_lines = max_lines
        self._writer = _Writer(descriptor)

    def emit(self, record: logging.LogRecord) -> None:
        """Format the record in the thread of its request, whose id it gets, and queue the line."""
        writer = self._own_writer()
        if writer.waiting >= self._max_lines:
            self.dropped += 1
            self._unreported += 1
            return
        try:
            if self._unreported:
                writer.put(self._line(self._notice()))
            writer.put(self._line(record))
        except Exception:  # noqa: BLE001  # as every handler does: a bad record stops no request
            self.handleError(record)

    def _own_writer(self) -> _Writer:
        # A fork copies the queue but not the thread; the parent writes what is in it.
        if self._writer.pid != os.getpid():
            self._writer = _Writer(self._descriptor)
            self.dropped = self._unreported = 0
        return self._writer

    def _line(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def _notice(self) -> logging.LogRecord:
        count, self._unreported = self._unreported, 0
        return logging.makeLogRecord(
            {
                "name": __name__,
                "levelname": "WARNING",
                "levelno": logging.WARNING,
                "msg": "log lines dropped: standard error was not read",
                "lines": count,
            }
        )

    def flush(self) -> None:
        """Wait at most a second until the lines are written; logging calls it at exit."""
        self._own_writer().flush(_FLUSH_S)
