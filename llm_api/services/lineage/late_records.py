"""Events that a thread writes down a moment later, for calls that are to travel through few files.

Whoever has one puts a function that makes it, and wakes the thread, both without a call into a file
of ours. A process that is killed in that moment loses it.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from llm_api.domain.lineage import LineageEvent
from llm_api.runtime.periodic_thread import PeriodicThread

_INTERVAL_S = 60.0  # it is woken for every event
logger = logging.getLogger(__name__)


class LateRecords:
    """A queue of functions that make events, and the thread that records these.

    `put` adds one, and `thread` has to be started and woken.
    """

    def __init__(self, record: Callable[[LineageEvent], None]) -> None:
        """Start nothing yet: a thread must belong to the worker, not to its parent.

        `record` raises nothing.
        """
        self._record = record
        self._waiting: SimpleQueue[Callable[[], LineageEvent]] = SimpleQueue()
        self.put = self._waiting.put
        self.thread = PeriodicThread("lineage-records", _INTERVAL_S, self.flush)

    def flush(self) -> None:
        """Record all that waits."""
        with suppress(Empty):
            while True:
                self._make(self._waiting.get_nowait())

    def _make(self, make: Callable[[], LineageEvent]) -> None:
        try:
            event = make()
        except Exception:  # whatever it is: the others must be recorded
            logger.exception("lineage event not made")
            return
        self._record(event)

    def close(self) -> None:
        """Record what waits, and nothing further by itself."""
        self.thread.close()
        self.flush()
