"""Bounds how many calls of this process run at once."""

import math
import threading
from collections import deque
from dataclasses import dataclass, field


class ConcurrencyLimit:
    """Slots for calls; those that find none free can wait, first come, first served."""

    def __init__(self, max_active: int, max_waiting: float = math.inf) -> None:
        """Create a limit with all slots free.

        Args:
            max_active: how many calls run at once.
            max_waiting: how many more may wait for a slot.
        """
        self._free = max_active
        self._max_waiting = max_waiting
        self._queue: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """How many slots are free."""
        return self._free

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._queue)

    def try_acquire(self) -> bool:
        """Acquire a slot if one is free, without waiting."""
        with self._lock:
            # While a call waits none is: `release` passes its slot on.
            if not self._free:
                return False
            self._free -= 1
            return True

    def acquire(self, timeout: float) -> bool:
        """Wait for a slot, at most `timeout` seconds.

        Returns False where the queue is full or the time is over.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._queue) >= self._max_waiting:
                return False
            waiter = _Waiter()
            self._queue.append(waiter)
        try:
            waiter.woken.acquire(timeout=timeout)
        except BaseException:  # a worker that ends cuts its calls by one that is no Exception
            if not self._withdraw(waiter):
                self.release()
            raise
        return not self._withdraw(waiter)

    def release(self) -> None:
        """Free a slot, or pass it on to the call that waits longest."""
        with self._lock:
            if not self._queue:
                self._free += 1
                return
            waiter = self._queue.popleft()
            waiter.has_slot = True
            waiter.woken.release()

    def _withdraw(self, waiter: "_Waiter") -> bool:
        """Leave the queue; False where a slot was passed on just before."""
        with self._lock:
            if not waiter.has_slot:
                self._queue.remove(waiter)
            return not waiter.has_slot


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call in the queue; a lock of its own wakes it, and no other."""

    woken: threading.Lock = field(default_factory=_held_lock)
    has_slot: bool = False
