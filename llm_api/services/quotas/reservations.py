"""Reserves in a store of budgets that may be away, and leaves nothing reserved there for nobody.

A reservation that nobody waits for any more may still come about, and one may not be given back
while the store is away: both are given back later.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from llm_api.domain.access import Reservation
from llm_api.storage import BudgetStore, StoreError

# What is owed to the store, at most, and how much of it is given back at once.
_MOST_OWED, _BATCH = 10_000, 500


class Offload(Protocol):
    """Runs what may block for long where it stops nobody else."""

    def __call__(self, blocking: Callable[[], None]) -> None:
        """Run it, and wait for its end; raises StoreError.

        What takes too long is given up, and may still come to its end.
        """


class Reservations:
    """Reserves in a store, and gives back."""

    def __init__(self, store: BudgetStore, offload: Offload) -> None:
        """Take the store, and what runs its methods."""
        self._store = store
        self._offload = offload
        self._owed: deque[str] = deque(maxlen=_MOST_OWED)

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """Do as BudgetStore; raises StoreError, also where the store takes too long."""
        attempt = _Attempt(
            partial(self._store.reserve, key_id, request_id, now, wanted),
            partial(self._store.release, [request_id]),
        )
        try:
            self._run(attempt.run)
        except StoreError:
            if attempt.decides():
                self._owed.append(request_id)  # its commit may have come through
                raise
        return attempt.refused

    def release(self, request_id: str) -> None:
        """Give back what a call had that was not made, now or when the store is there again.

        Nothing is raised: its caller is to be told why it was not made.
        """
        self._owed.append(request_id)
        try:
            self._run(lambda: None)
        except StoreError:  # it has taken too long, and goes on alone
            return

    def _run(self, act: Callable[[], None]) -> None:
        self._offload(partial(self._act_and_pay_back, act))

    def _act_and_pay_back(self, act: Callable[[], None]) -> None:
        act()
        if not self._owed:
            return
        ids = self._take_owed()
        try:
            self._store.release(ids)
        except StoreError:
            self._owed.extend(ids)

    def _take_owed(self) -> list[str]:
        ids: list[str] = []
        try:
            while len(ids) < _BATCH:
                ids.append(self._owed.popleft())
        except IndexError:  # another thread takes, too
            pass
        return ids


class _Attempt:
    """A reservation on its way, which the call that waits for it may give up."""

    def __init__(self, reserve: Callable[[], Reservation | None], undo: Callable[[], None]) -> None:
        self._reserve = reserve
        self._undo = undo
        # Whoever takes it decides. No lock: gevent's and real threads would share it.
        self._decision = deque([None])
        self.refused: Reservation | None = None

    def run(self) -> None:
        """Reserve, and undo it if the call has given up meanwhile."""
        self.refused = self._reserve()
        if not self.decides():
            self._undo()

    def decides(self) -> bool:
        """Tell whether this is the first to ask, and decides what becomes of it."""
        try:
            self._decision.pop()
        except IndexError:
            return False
        return True
