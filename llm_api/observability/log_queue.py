"""Log lines on their way to standard error, which must never hold up a request.

A pipe whose reader has stopped takes 64 KiB and then blocks whoever writes; under gevent that is
the whole worker. So a line is only put into a queue, and a thread of each process writes it. When
the queue is full, lines are dropped and counted; the next one that finds room comes after a line
that says how many they were.
"""

import logging
import os
import select
import time
from _queue import SimpleQueue
from collections.abc import Iterable, Iterator

from gevent.monkey import get_original

# The real ones, also where gevent has put greenlets in their place: those would stop with the loop.
_start_thread = get_original("_thread", "start_new_thread")
_sleep = get_original("time", "sleep")

STDERR = 2
MAX_LINES = 10_000
# Lines of so many seconds are written together: waking the thread for each would cost more.
_PAUSE_S = 0.005
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
        """Let a line be written; nothing here waits."""
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
            except BlockingIOError:  # somebody else has made the terminal or pipe non-blocking
                _sleep(_PAUSE_S)
            except OSError:  # nobody reads, or the disk is full: there is no place to say so
                return

    def flush(self, timeout: float) -> None:
        """Wait until what was put is written, though not for longer than `timeout` seconds."""
        ends_at = time.monotonic() + timeout
        last = self._put
        while self._taken < last and time.monotonic() < ends_at:
            _sleep(_PAUSE_S)


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines as long as a write of them is atomic: other processes write to the same pipe."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    yield piece


class QueueHandler(logging.Handler):
    """Hands log lines to the thread that writes them; `dropped` counts those that found no room."""

    def __init__(self, descriptor: int = STDERR, max_lines: int = MAX_LINES) -> None:
        """Write to a file descriptor; at most `max_lines` wait."""
        super().__init__()
        self.dropped = 0
        self._untold = 0
        self._descriptor = descriptor
        self._max_lines = max_lines
        self._writer = _Writer(descriptor)

    def emit(self, record: logging.LogRecord) -> None:
        """Format the record here, where its request is known, and put its line into the queue."""
        writer = self._own_writer()
        if writer.waiting >= self._max_lines:
            self.dropped += 1
            self._untold += 1
            return
        try:
            if self._untold:
                writer.put(self._line(self._notice()))
            writer.put(self._line(record))
        except Exception:  # noqa: BLE001  # as every handler does: a bad record stops no request
            self.handleError(record)

    def _own_writer(self) -> _Writer:
        # A fork takes the queue along and not the thread; the parent writes what is in it.
        if self._writer.pid != os.getpid():
            self._writer = _Writer(self._descriptor)
            self.dropped = self._untold = 0
        return self._writer

    def _line(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def _notice(self) -> logging.LogRecord:
        untold, self._untold = self._untold, 0
        return logging.makeLogRecord(
            {
                "name": __name__,
                "levelname": "WARNING",
                "levelno": logging.WARNING,
                "msg": "log lines dropped: nobody read them",
                "lines": untold,
            }
        )

    def flush(self) -> None:
        """Wait, for a second at most, until the lines are written; at the exit this is called."""
        self._own_writer().flush(_FLUSH_S)
