"""Budget reservations in a store that may be away or slow, none of which outlives its call.

Calls that come while a group of others reserves are the next group, and reserve together: at eight
calls at once FIGURE of them share the cost of a transaction and of a thread. No call waits for
others to come.

A reservation may still be made after its call gave up waiting, and one may fail to be released
while the store is away: both are released later.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from llm_api.domain.access import Claim, Reservation
from llm_api.storage import BudgetStore, StoreError
from llm_api.storage.threads import StoreThreads

# How many reservations are remembered for release, and how many are made or released at once.
_MAX_UNRELEASED, _BATCH = 10_000, 500
_MAX_WAIT_S = 6.0  # as long as the store may take
# For a group that takes longer, calls of other keys do not wait: it may have met a lock.
_PATIENCE_S = 0.1
_MAX_GROUPS = 4
_SILENT = "The database does not answer."


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
        self._lock = threading.Lock()  # of these two; never held in a thread of `threads`
        self._waiting: list[_Attempt] = []
        self._groups: list[_Group] = []

    def reserve(
        self, key_id: str, request_id: str, now: datetime, wanted: Sequence[Reservation]
    ) -> Reservation | None:
        """See BudgetStore; raises StoreError also where the store takes too long."""
        attempt = _Attempt(Claim(key_id, request_id, now, wanted))
        with self._lock:
            self._waiting.append(attempt)
            self._begin_next()
        try:
            if attempt.group is None:
                self._wait(attempt)
            if attempt.group is not None and attempt.group.leader is attempt:
                self._run(attempt.group)
        except BaseException:  # this call is cut
            self._give_up(attempt, StoreError(_SILENT))
            raise
        if attempt.error is not None:
            raise StoreError(str(attempt.error)) from attempt.error
        return attempt.exceeded
