"""Runs what may block for long, such as a database call, where it stops nobody else.

Under gevent that is a real thread of the hub's pool: otherwise a locked SQLite file stopped every
greenlet for 2.9 s.
"""

from collections import deque
from collections.abc import Callable

import gevent
from gevent import get_hub, monkey
from gevent.threadpool import ThreadPool

from llm_api.storage import StoreError


def offload(blocking: Callable[[], None]) -> None:
    """Run it, and wait for its end."""
    if not monkey.is_module_patched("threading"):
        blocking()
    # Caught in the thread: gevent would print a traceback, with SQL in it, past the logs.
    elif (raised := get_hub().threadpool.apply(_raised_by, (blocking,))) is not None:
        raise raised


class BoundedOffload:
    """Runs so many at once, and gives each up after a while; what was given up goes on alone.

    A database that is frozen keeps its threads, which are few and which others need, too.
    """

    def __init__(self, at_most: int, timeout: float) -> None:
        """Take the number, and the seconds."""
        self._places = deque([None] * at_most)  # taken from and put back by threads of both kinds
        self._timeout = timeout

    def __call__(self, blocking: Callable[[], None]) -> None:
        """Run it, and wait for its end; raises StoreError where it does not end, or not begin."""
        if not monkey.is_module_patched("threading"):
            blocking()
            return
        try:
            self._places.pop()
        except IndexError:
            raise StoreError("The database has not answered earlier questions yet.") from None
        result = get_hub().threadpool.spawn(self._run, blocking)
        try:
            raised = result.get(timeout=self._timeout)
        except gevent.Timeout:
            raise StoreError("The database does not answer.") from None
        if raised is not None:
            raise raised

    def _run(self, blocking: Callable[[], None]) -> Exception | None:
        try:
            return _raised_by(blocking)
        finally:
            self._places.append(None)


def _raised_by(blocking: Callable[[], None]) -> Exception | None:
    try:
        blocking()
    except Exception as error:  # noqa: BLE001  # all of them are raised again, by the caller
        return error
    return None


class QueuedOffload:
    """Runs so many at once, in threads of their own; others wait for their turn.

    A database that is frozen keeps these threads only. Each wait is bounded.
    """

    def __init__(self, at_most: int, timeout: float) -> None:
        """Take the number, and the seconds; threads begin with the first use."""
        self._at_most = at_most
        self._timeout = timeout
        self._pool: ThreadPool | None = None

    def __call__(self, blocking: Callable[[], None]) -> None:
        """Run it, and wait for its end; raises StoreError where that takes too long."""
        if not monkey.is_module_patched("threading"):
            blocking()
            return
        if self._pool is None:
            self._pool = ThreadPool(self._at_most)
        try:
            # It waits for a free thread as well as for the end.
            with gevent.Timeout(self._timeout):
                raised = self._pool.apply(_raised_by, (blocking,))
        except gevent.Timeout:
            raise StoreError("The database does not answer.") from None
        if raised is not None:
            raise raised
