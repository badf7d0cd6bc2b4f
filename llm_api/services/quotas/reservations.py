"""Budget reservations in a store that may be away or slow, none of which outlives its call.

A reservation may still be made after its call gave up waiting, and one may fail to be released
while the store is away: both are released later.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from llm_api.domain.access import Reservation
from llm_api.storage import BudgetStore, StoreError
from llm_api.storage.threads import StoreThreads

# How many reservations are remembered for release, and how many are released at once.
_MAX_UNRELEASED, _BATCH = 10_000, 500
_T = TypeVar("_T")


class Reservations:
    """Reserves in a store, and releases."""

    def __init__(self, store: BudgetStore, threads: StoreThreads) -> None:
        """Reserve nothing yet.

        Args:
            store: where reservations are kept.
            threads: runs the store's methods.
        """
        self._store = store
        self._threads = threads
        self._unreleased: deque[str] = deque(maxlen=_MAX_UNRELEASED)

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """See BudgetStore; raises StoreError also where the store takes too long."""
        attempt = _Attempt(
            partial(self._store.reserve, key_id, request_id, now, wanted),
            partial(self._store.release, [request_id]),
        )
        try:
            return self._run(attempt.run)
        except StoreError:
            if attempt.decide():
                self._unreleased.append(request_id)  # its commit may have come through
                raise
        return attempt.exceeded

    def release(self, request_id: str) -> None:
        """Release what was reserved for a call that was not made, now or when the store is back.

        Nothing is raised: the caller reports why the call was not made.
        """
        self._unreleased.append(request_id)
        try:
            self._run(lambda: None)
        except StoreError:  # it has taken too long, and goes on alone
            return

    def _run(self, action: Callable[[], _T]) -> _T:
        return self._threads.run(partial(self._act_and_release, action))

    def _act_and_release(self, action: Callable[[], _T]) -> _T:
        result = action()
        if ids := self._next_unreleased():
            try:
                self._store.release(ids)
            except StoreError:
                self._unreleased.extend(ids)
        return result

    def _next_unreleased(self) -> list[str]:
        ids: list[str] = []
        try:
            while len(ids) < _BATCH:
                ids.append(self._unreleased.popleft())
        except IndexError:  # it is empty, or another thread was faster
            pass
        return ids


class _Attempt:
    """A reservation in progress, whose call may give up waiting for it."""

    def __init__(self, reserve: Callable[[], Reservation | None], undo: Callable[[], None]) -> None:
        self._reserve = reserve
        self._undo = undo
        # Popped by the side that decides. A lock would be gevent's, and a native thread must not
        # wait for one (llm_api/runtime/native_threads.py); popping is atomic, and never waits.
        self._decision = deque([None])
        self.exceeded: Reservation | None = None

    def run(self) -> Reservation | None:
        """Reserve, and undo it if the call has given up meanwhile."""
        self.exceeded = self._reserve()
        if not self.decide():
            self._undo()
        return self.exceeded

    def decide(self) -> bool:
        """Decide what becomes of the reservation; False where the other side has decided before."""
        try:
            self._decision.pop()
        except IndexError:
            return False
        return True
