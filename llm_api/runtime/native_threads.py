"""Runs calls that block in C, such as a database driver's, without stopping the gevent loop.

Under gevent each call runs in a native thread: on the loop, a locked SQLite file stopped every
greenlet for 2.9 s. Without gevent the caller is a native thread itself, and the call runs there.

In a native thread nothing may wait for a lock that gevent has patched, if a greenlet or another
native thread can hold it: such a lock belongs to the loop of the thread that first waited for it,
and nothing wakes the others while that thread idles (docs/decisions/0002-gevent.md).
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import gevent
from gevent import monkey
from gevent.threadpool import ThreadPool

_T = TypeVar("_T")


class NativeThreadTimeout(Exception):
    """A call did not end in time, or all threads are stuck in calls that did not."""


class NativeThreads:
    """At most `max_threads` calls at once, each in a native thread; others queue in order.

    A call that does not end in time is given up, and goes on alone: a thread cannot be stopped.
    """

    def __init__(
        self, max_threads: int, timeout: float | None = None, *, fails_fast: bool = False
    ) -> None:
        """Start no thread yet: they belong to the worker, not to the process it is forked from.

        Args:
            max_threads: how many calls run at once.
            timeout: seconds that a call may take, its time in the queue included; None is no limit.
            fails_fast: whether calls fail at once while all threads are stuck in calls that were
                given up, instead of waiting for a free thread: for reports and health checks,
                which are repeated anyway, and not for what a call needs.
        """
        self._max_threads = max_threads
        self._timeout = timeout
        self._fails_fast = fails_fast
        self._pool: ThreadPool | None = None
        # Only greenlets of the loop touch the list, and only its thread a call's `has_ended`.
        self._given_up: list[_Call[Any]] = []

    def run(self, function: Callable[[], _T], timeout: float | None = None) -> _T:
        """Call a function in a native thread and return its result.

        Args:
            function: what to call.
            timeout: seconds that this call may take, where they are fewer than for all.

        Raises:
            NativeThreadTimeout: it did not end in time, or was not begun. It may still end later.
            Exception: whatever the function raises.
        """
        if not monkey.is_module_patched("threading"):
            return function()
        if self._fails_fast:
            self._refuse_if_stuck()
        seconds = self._timeout if timeout is None else timeout
        call = _Call(function)
        try:
            with gevent.Timeout(seconds) as limit:
                self._submit(call)
        except gevent.Timeout as raised:
            if raised is not limit:
                raise  # the caller's own
            if self._fails_fast and call.has_begun:
                self._given_up.append(call)
            raise NativeThreadTimeout(f"No result within {seconds} s.") from None
        return call.result()

    def _refuse_if_stuck(self) -> None:
        if not self._given_up:
            return
        self._given_up = [call for call in self._given_up if not call.has_ended]
        if len(self._given_up) >= self._max_threads:
            raise NativeThreadTimeout("All threads are stuck in earlier calls.")

    def _submit(self, call: "_Call[_T]") -> None:
        """Wait for a free thread, and for the end of the call."""
        if self._pool is None:
            self._pool = ThreadPool(self._max_threads)
        self._pool.apply(call.run)


class _Call(Generic[_T]):
    """One call, and what became of it."""

    def __init__(self, function: Callable[[], _T]) -> None:
        self._function = function
        self._result: _T | None = None
        self._error: Exception | None = None
        self.has_begun = False
        self.has_ended = False

    def run(self) -> None:
        """Run it, in the thread; gevent would print what it raises past the logs, SQL and all."""
        self.has_begun = True
        try:
            self._result = self._function()
        except Exception as error:  # noqa: BLE001  # raised again where the call was made
            self._error = error
        finally:
            self.has_ended = True

    def result(self) -> _T:
        """Return what the function returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return cast("_T", self._result)
