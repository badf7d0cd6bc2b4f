"""Budget reservations in a store that may be away or slow, none of which outlives its call.

Calls that come while others reserve form the next group, which shares a transaction and the way to
a native thread and back: with eight calls at once that, and the driver's own cursor, brought a
reservation from 1.35 to 0.21 ms of CPU on SQLite. No call waits for others to come, and each is
refused or granted as it would be alone.

A reservation may still be made after its call gave up waiting, and one may fail to be released
while the store is away: both are released later.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from gevent.monkey import get_original

from llm_api.domain.access import Claim, Reservation
from llm_api.storage import StoreError
from llm_api.storage.budget_store import BudgetStore
from llm_api.storage.threads import StoreThreads

_new_lock = get_original("_thread", "allocate_lock")
# How many reservations are remembered for release, and how many are made or released at once.
_MAX_UNRELEASED, _BATCH = 10_000, 500
_MAX_WAIT_S = 6.0
# Others do not wait for a group that takes longer: it may have met a lock.
_PATIENCE_S = 0.1
_MAX_GROUPS = 4


class Reservations:
    """Reserves in a store, and releases."""

    def __init__(
        self, store: BudgetStore, threads: StoreThreads, max_wait: float = _MAX_WAIT_S
    ) -> None:
        """Reserve nothing yet.

        Args:
            store: where reservations are kept.
            threads: runs the store's methods.
            max_wait: seconds that a call waits for its reservation.
        """
        self._store = store
        self._threads = threads
        self._max_wait = max_wait
        self._unreleased: deque[str] = deque(maxlen=_MAX_UNRELEASED)
        # Of the next two. Native, as threads of `threads` take it, too, which must not wait for one
        # of gevent's; whoever holds it waits for nothing.
        self._lock = _new_lock()
        self._waiting: list[_Attempt] = []
        self._groups: list[_Group] = []

    @property
    def waiting(self) -> int:
        """How many calls wait for a group that has not begun."""
        return len(self._waiting)

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """See BudgetStore; raises StoreError also where the store takes too long."""
        attempt = _Attempt(Claim(key_id, request_id, now, wanted), time.monotonic())
        try:
            with self._lock:
                self._waiting.append(attempt)
                self._begin_group()
            if attempt.led is None:
                self._wait(attempt)
            if attempt.led is not None:
                self._run(attempt.led)
        except BaseException:  # the call is cut
            self._withdraw(attempt)
            raise
        return attempt.outcome()

    def reserve_together(self, claims: Sequence[Claim]) -> Reservation | None:
        """See BudgetStore; raises StoreError also where the store takes too long.

        These calls wait for no group, and none waits for them.
        """
        reserve = partial(self._store.reserve_together, claims)
        try:
            return self._threads.run(reserve, self._max_wait)
        except BaseException:  # it may come about all the same, also where the call is cut
            self._unreleased.extend(claim.request_id for claim in claims)
            raise

    def _begin_group(self) -> None:
        """Let the newest call lead a group, unless one has just begun; needs the lock.

        The newest, because a group is given up when its leader has waited long enough.
        """
        if self._groups and not self._are_slow():
            return
        for attempt in reversed(self._waiting):
            if not self._is_busy(attempt):
                self._waiting.remove(attempt)
                attempt.led = _Group(attempt)
                self._groups.append(attempt.led)
                attempt.woken.release()
                return

    def _are_slow(self) -> bool:
        """Whether another group may begin although some have not ended."""
        latest = time.monotonic() - _PATIENCE_S
        has_room = len(self._groups) < _MAX_GROUPS
        return has_room and all(group.began_at <= latest for group in self._groups)

    def _is_busy(self, attempt: "_Attempt", but: "_Group | None" = None) -> bool:
        """Whether a group reserves of its budgets, which may have met a lock on one of them."""
        return any(
            not group.holders.isdisjoint(attempt.holders)
            for group in self._groups
            if group is not but
        )

    def _wait(self, attempt: "_Attempt") -> None:
        """Wait until the call leads a group, or one that it belongs to has ended."""
        if attempt.woken.acquire(timeout=_PATIENCE_S):
            return
        with self._lock:
            self._begin_group()
        if not attempt.woken.acquire(timeout=self._max_wait - _PATIENCE_S):
            self._withdraw(attempt)

    def _withdraw(self, attempt: "_Attempt") -> None:
        """Neither wait nor lead any longer."""
        with self._lock:
            if attempt in self._waiting:
                self._waiting.remove(attempt)
            led = attempt.stop_leading()
            if led in self._groups:
                self._groups.remove(led)
                self._begin_group()
        self._fail([attempt], StoreError("The database does not answer."))

    def _run(self, group: "_Group") -> None:
        """Reserve for the group of this call; what is raised goes to all its calls."""
        waited = time.monotonic() - group.leader.came_at
        try:
            self._threads.run(partial(self._reserve_all, group), self._max_wait - waited)
        except StoreError as error:
            self._end(group, error)
        except BaseException:
            self._end(group, StoreError("The call that reserved for others was cut."))
            raise
        else:
            self._end(group)

    def _end(self, group: "_Group", error: StoreError | None = None) -> None:
        with self._lock:
            self._groups.remove(group)
            self._begin_group()
        if error is not None:
            self._fail(group.attempts, error)
        for attempt in group.attempts:
            if attempt is not group.leader:
                attempt.woken.release()

    def _fail(self, attempts: Iterable["_Attempt"], error: StoreError) -> None:
        """Give up reservations in progress; one may come about all the same."""
        for attempt in attempts:
            if attempt.decide():
                attempt.error = error
                self._unreleased.append(attempt.claim.request_id)

    def _reserve_all(self, group: "_Group") -> None:
        """Reserve, and release what calls no longer want; in a thread of `threads`."""
        with self._lock:
            if group not in self._groups:  # it was given up before its thread was free
                return
            self._fill(group)
        try:
            outcomes = self._store.reserve_all([attempt.claim for attempt in group.attempts])
        except StoreError:  # some may have come about, also for those who have given up
            self._unreleased.extend(attempt.claim.request_id for attempt in group.attempts)
            raise
        for attempt, exceeded in zip(group.attempts, outcomes, strict=True):
            attempt.exceeded = exceeded
            if not attempt.decide():  # it has given up meanwhile
                self._unreleased.append(attempt.claim.request_id)
        self._release_unreleased()

    def _fill(self, group: "_Group") -> None:
        """Add those who have come while the group waited for its thread; needs the lock."""
        left: list[_Attempt] = []
        for attempt in self._waiting:
            is_full = len(group.attempts) >= _BATCH
            (left if is_full or self._is_busy(attempt, group) else group.attempts).append(attempt)
        self._waiting = left
        group.attempts.sort(key=lambda attempt: attempt.came_at)
        group.holders.update(*(attempt.holders for attempt in group.attempts))

    def release(self, request_id: str) -> None:
        """Release what was reserved for a call that was not made, now or when the store is back.

        Nothing is raised: the caller reports why the call was not made.
        """
        self._unreleased.append(request_id)
        with suppress(StoreError):  # it has taken too long, and goes on alone
            self._threads.run(self._release_unreleased)

    def _release_unreleased(self) -> None:
        if ids := self._next_unreleased():
            try:
                self._store.release(ids)
            except StoreError:
                self._unreleased.extend(ids)

    def _next_unreleased(self) -> list[str]:
        ids: list[str] = []
        try:
            while len(ids) < _BATCH:
                ids.append(self._unreleased.popleft())
        except IndexError:  # it is empty, or another thread was faster
            pass
        return ids


class _Attempt:
    """A reservation in progress, whose call may give up waiting for it.

    `led` is the group that the call has to reserve for. `exceeded` or `error` is what became of it.
    """

    def __init__(self, claim: Claim, came_at: float) -> None:
        self.claim = claim
        self.holders = {claim.key_id, *(one.group_id for one in claim.wanted if one.group_id)}
        self.came_at = came_at
        self.led: _Group | None = None
        self.exceeded: Reservation | None = None
        self.error: StoreError | None = None
        self.woken = threading.Lock()
        self.woken.acquire()
        # Popped by the side that decides. A lock would be gevent's, and a native thread must not
        # wait for one (llm_api/runtime/native_threads.py); popping is atomic, and never waits.
        self._decision = deque([None])

    def decide(self) -> bool:
        """Decide what becomes of the reservation; False where the other side has decided before."""
        try:
            self._decision.pop()
        except IndexError:
            return False
        return True

    def stop_leading(self) -> "_Group | None":
        """Lead no group any longer; returns the one that it led."""
        led, self.led = self.led, None
        return led

    def outcome(self) -> Reservation | None:
        """Return what the store has said, or raise StoreError."""
        if self.error is not None:
            raise StoreError(str(self.error)) from self.error
        return self.exceeded


class _Group:
    """Calls that reserve together."""

    def __init__(self, leader: _Attempt) -> None:
        self.leader = leader
        self.attempts = [leader]
        self.holders = set(leader.holders)
        self.began_at = time.monotonic()
