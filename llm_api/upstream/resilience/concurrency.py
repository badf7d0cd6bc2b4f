"""The limit on calls in progress at one upstream, so that a hanging upstream delays no other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from llm_api.runtime.concurrency import ConcurrencyLimit
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall


class UpstreamConcurrency:
    """At most so many calls at once; others queue, for a bounded time."""

    def __init__(self, max_active: int, queue_timeout: float) -> None:
        """Begin with all slots free.

        Args:
            max_active: how many calls run at once.
            queue_timeout: seconds that a call waits for a slot, less where its own time ends first.
        """
        self._limit = ConcurrencyLimit(max_active)
        self._queue_timeout = queue_timeout

    @contextmanager
    def acquired(self, call: UpstreamCall) -> Iterator[None]:
        """Hold a slot for the call; raises an ApiError where none is free in time."""
        if not self._limit.try_acquire():
            self._wait(call)
        try:
            if (ending := call.ending) is not None:  # nothing checked it while it waited
                raise ending.error
            yield
        finally:
            self._limit.release()

    def _wait(self, call: UpstreamCall) -> None:
        began_at = time.monotonic()
        has_slot = self._limit.acquire(min(self._queue_timeout, call.remaining))
        call.record_queueing(time.monotonic() - began_at)
        if not has_slot:
            raise faults.overloaded()
        call.check()
