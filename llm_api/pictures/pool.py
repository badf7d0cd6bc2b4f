"""A few picture processes for all calls of a worker, started when needed, replaced when dead."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from llm_api.pictures.facts import PicturesUnavailable
from llm_api.pictures.process import PictureProcess

logger = logging.getLogger(__name__)

_CLOSING_S = 2.0


class ProcessPool:
    """At most `max_processes` requests at once; others queue.

    Waiting for a place and for an answer stops neither gevent's loop nor other threads.
    """

    def __init__(
        self,
        max_processes: int,
        *,
        time_limit: float,
        queue_limit: float,
        start: Callable[[], PictureProcess] = PictureProcess,
        idle_limit: float | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            max_processes: how many processes there are at most.
            time_limit: seconds that a request may take.
            queue_limit: seconds that it may wait for its turn.
            start: starts a process; raises OSError.
            idle_limit: seconds without a request after which a process is not used any more: it
                ends by itself soon after.
        """
        self._places = threading.BoundedSemaphore(max_processes)
        self._time_limit = time_limit
        self._queue_limit = queue_limit
        self._start = start
        self._idle_limit = idle_limit
        self._used_at = 0.0
        self._is_closed = False
        # The last one used is used next: the second process starts where the first does not do.
        self._idle: list[PictureProcess] = []
        self._ending: list[PictureProcess] = []

    def ask(self, head: Mapping[str, Any], body: bytes = b"") -> tuple[Mapping[str, Any], bytes]:
        """Have a process do something, and return its answer.

        Raises:
            ProcessEnded: it died of it.
            ProcessStalled: it took too long.
            PicturesUnavailable: there is no process for it.
        """
        if not self._places.acquire(timeout=self._queue_limit):
            raise PicturesUnavailable("Too many pictures wait to be read or written.")
        try:
            return self._ask(head, body)
        finally:
            self._places.release()

    def _ask(self, head: Mapping[str, Any], body: bytes) -> tuple[Mapping[str, Any], bytes]:
        process = self._living()
        try:
            answer = process.ask({**head, "seconds": self._time_limit}, body, self._time_limit)
        except (
            BaseException
        ):  # also where the caller is stopped: its answer would be the next one's
            process.kill()
            self._ending.append(process)
            raise
        if self._is_closed:  # it came back too late to be ended with the others
            process.end()
            self._ending.append(process)
        else:
            self._idle.append(process)
        self._used_at = time.monotonic()
        return answer

    def _living(self) -> PictureProcess:
        """Return an idle process that has not died since its last request, or a new one."""
        self._ending = [process for process in self._ending if not process.is_reaped()]
        while self._idle:
            process = self._idle.pop()
            if process.is_reaped():
                process.end()
            elif self._has_idled():
                process.end()
                self._ending.append(process)
            else:
                return process
        try:
            return self._start()
        except OSError as error:
            logger.exception("picture process could not be started")
            raise PicturesUnavailable("The process that reads pictures cannot start.") from error

    def _has_idled(self) -> bool:
        idle_for = time.monotonic() - self._used_at
        return self._idle_limit is not None and idle_for > self._idle_limit

    def close(self) -> None:
        """End the idle processes, and wait for them for a short time; others end when they can."""
        self._is_closed = True
        while self._idle:
            process = self._idle.pop()
            process.end()
            self._ending.append(process)
        deadline = time.monotonic() + _CLOSING_S
        while self._ending and time.monotonic() < deadline:
            time.sleep(0.01)
            self._ending = [process for process in self._ending if not process.is_reaped()]
