"""Connection pools for native threads beside gevent's loop.

Under gevent SQLAlchemy's locks are gevent's. One that several native threads contend for belongs to
the loop of the thread that first had to wait for it; while that thread idles, nothing wakes the
others, and they wait for ever: so did one of the first four budget reservations of a process, on a
fast disk. Why database calls run in native threads at all: docs/decisions/0018-gevent-cost.md.
"""

from _queue import Empty, SimpleQueue  # the native ones; `queue` has gevent's under these names
from collections import deque
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from gevent.monkey import get_original
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, Pool

# As SQLAlchemy's QueuePool has them: pool_size 5, max_overflow 10, timeout 30.
_MAX_CONNECTIONS, _MAX_IDLE = 15, 5
_TIMEOUT_S = 30.0
_new_lock = get_original("_thread", "allocate_lock")


class _FirstAlone(Pool):
    """Opens the first connection alone.

    SQLAlchemy initializes the dialect with it, and blocks all others on a lock for that time.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Pass on SQLAlchemy's arguments."""
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
    """Opens a connection for each use."""


class ThreadsPool(_FirstAlone):
    """Lends each connection to one thread at a time, the last returned first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Pass on SQLAlchemy's arguments."""
        super().__init__(*args, **options)
        self._idle: deque[ConnectionPoolEntry] = deque()
        self._permits: SimpleQueue[None] = SimpleQueue()
        for _ in range(_MAX_CONNECTIONS):
            self._permits.put(None)

    def checkedout(self) -> int:
        """Return how many connections are in use."""
        return _MAX_CONNECTIONS - self._permits.qsize()

    def recreate(self) -> "ThreadsPool":
        """Return an empty pool of the same kind."""
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
            self._permits.get(timeout=_TIMEOUT_S)
        except Empty:
            message = f"All {_MAX_CONNECTIONS} connections are in use."
            raise sa.exc.TimeoutError(message) from None
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._create_connection()
        except BaseException:
            self._permits.put(None)
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            if len(self._idle) < _MAX_IDLE:
                self._idle.append(record)
            else:
                record.close()
        finally:
            self._permits.put(None)
