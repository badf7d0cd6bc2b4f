"""The bound on the calls in progress at one upstream, so that one that hangs holds up no other."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall


class ConcurrencyLimit:
    """So many calls run at once; others wait for a place, though not for long."""

    def __init__(self, count: int, queue_timeout: float) -> None:
        """Take the number of places, and for how many seconds a call waits for one."""
        self._free = threading.BoundedSemaphore(count)
        self._queue_timeout = queue_timeout

    @contextmanager
    def taken(self, call: UpstreamCall) -> Iterator[None]:
        """Hold a place for the call; raises an ApiError where it gets none."""
        has_waited = not self._free.acquire(blocking=False)
        if has_waited:
            self._wait(call)
        try:
            # Nothing watched the call while it waited.
            if has_waited and (ending := call.ending) is not None:
                raise ending.error
            yield
        finally:
            self._free.release()

    def _wait(self, call: UpstreamCall) -> None:
        began_at = time.monotonic()
        has_place = self._free.acquire(timeout=min(self._queue_timeout, call.remaining))
        call.record_queueing(time.monotonic() - began_at)
        if not has_place:
            raise faults.overloaded()
        call.check()
