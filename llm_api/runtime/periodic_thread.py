"""A background thread (a greenlet under gevent) that repeats a task."""

import logging
import threading
from collections.abc import Callable

# Shorter than the second that a worker has for its end (llm_api/server/gunicorn_worker.py).
_JOIN_S = 0.5
logger = logging.getLogger(__name__)


class PeriodicThread:
    """Runs a task at an interval after its start, and when it is woken, until it is closed.

    When `woken` is set the next run begins now, or when the thread starts, or when the present run
    ends. `is_started` spares those who start it with every call a look at its lock.
    """

    def __init__(self, name: str, interval: float, task: Callable[[], None]) -> None:
        """Start nothing yet: a thread must belong to the worker, not to the process it forks from.

        Args:
            name: the thread's name, for logs and debuggers.
            interval: seconds from the start, or the end of a run, to the beginning of the next.
            task: called without arguments; what it raises is logged, and ends nothing.
        """
        self.is_started = False
        self._name = name
        self._interval = interval
        self._task = task
        self.woken = threading.Event()
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_closing(self) -> bool:
        """Whether a run in progress should come to its end."""
        return self._closing.is_set()

    def start(self) -> None:
        """Start the thread unless it runs already or was closed."""
        with self._starting:
            if self._thread is None and not self.is_closing:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread = thread
                self.is_started = True

    def pause(self, seconds: float) -> None:
        """Sleep within the task; closing ends the sleep."""
        self._closing.wait(seconds)

    def close(self, timeout: float = _JOIN_S) -> None:
        """End the thread, and wait at most `timeout` seconds for a run in progress."""
        self._closing.set()
        self.woken.set()
        with self._starting:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self) -> None:
        while True:
            self.woken.wait(self._interval)
            self.woken.clear()
            if self.is_closing:
                return
            try:
                self._task()
            except Exception:
                # Whatever one run raises, the next is due all the same: rows wait, leases expire.
                logger.exception("background task failed", extra={"task": self._name})
