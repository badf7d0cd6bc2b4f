"""Pools of connections for threads that run beside gevent's loop.

Under gevent SQLAlchemy's locks are gevent's. One that several real threads want belongs to the loop
of the thread that first had to wait for it; when that one idles, nobody wakes the others, and they
wait for ever: so did one of the first four reservations of a process, on a fast disk.
"""

from _queue import Empty, SimpleQueue  # `queue` has gevent's under this name
from collections import deque
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from gevent.monkey import get_original
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, Pool

_MOST, _MOST_IDLE = 15, 5  # connections, as SQLAlchemy's own pool has them
_PATIENCE_S = 30.0
_new_lock = get_original("_thread", "allocate_lock")


class _FirstAlone(Pool):
    """Connects once before others do.

    With its first connection SQLAlchemy gets to know the server, and lets others wait for that.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what every pool of SQLAlchemy does."""
        super().__init__(*args, **options)
        self._has_connected = False
        self._first = _new_lock()

    def _create_connection(self) -> ConnectionPoolEntry:
        if self._has_connected:
            return super()._create_connection()
        with self._first:
            made = super()._create_connection()
            self._has_connected = True
        return made


class UnpooledThreads(_FirstAlone, NullPool):
    """Connects anew each time."""


class ThreadsPool(_FirstAlone):
    """Lends each connection to one thread at a time; the latest that came back goes first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what every pool of SQLAlchemy does."""
        super().__init__(*args, **options)
        self._idle: deque[ConnectionPoolEntry] = deque()
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(_MOST):
            self._places.put(None)

    def checkedout(self) -> int:
        """Return how many connections are lent."""
        return _MOST - self._places.qsize()

    def recreate(self) -> "ThreadsPool":
        """Return a new one like this, with nothing in it."""
        return type(self)(
            self._creator,
            recycle=self._recycle,
            echo=self.echo,
            logging_name=self._orig_logging_name,
            reset_on_return=self._reset_on_return,
            pre_ping=self._pre_ping,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )

    def dispose(self) -> None:
        """Close the idle connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            self._places.get(timeout=_PATIENCE_S)
        except Empty:
            message = f"All {_MOST} connections are in use."
            raise sa.exc.TimeoutError(message) from None
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._create_connection()
        except BaseException:
            self._places.put(None)
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(record)
            else:
                record.close()
        finally:
            self._places.put(None)
