"""A task that this process works on, and may save until its claim is lost."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from llm_api.domain.calls import never
from llm_api.domain.tasks import Task, TaskState
from llm_api.runtime.drain import Drain
from llm_api.storage import StoreError, TaskStore
from llm_api.storage.threads import StoreThreads

_RETRY_S = 1.0
_LOOKS_A_SECOND = 20  # at tasks of vendors, in one process; each takes a millisecond of CPU


class ClaimLost(Exception):
    """Another process has the task now: nothing more may be done for it here."""


@dataclass(frozen=True, slots=True)
class Claims:
    """How a worker claims tasks: its name, and for how many seconds at a time.

    `count` is told of every task that it has ended, and `held` says how many it has.
    """

    store: TaskStore
    threads: StoreThreads
    drain: Drain
    worker: str
    lease: float
    now: Callable[[], datetime]
    count: Callable[[Task], None]
    held: Callable[[], int]

    def until(self) -> datetime:
        """Return when a claim of now runs out."""
        return self.now() + timedelta(seconds=self.lease)


class Waiter:
    """A client that waits for a task in this process; `watch` gets what happens meanwhile."""

    def __init__(
        self,
        is_disconnected: Callable[[], bool] = never,
        watch: Callable[[Any], None] | None = None,
    ) -> None:
        """Wait; `is_disconnected` says whether the client has closed its connection."""
        self.is_disconnected = is_disconnected
        self.watch = watch
        self.is_waiting = True

    def leave(self) -> None:
        """Wait no longer; the task goes on."""
        self.is_waiting = False


class ClaimedTask:
    """A claimed task; it is saved by one greenlet at a time, and each save renews the claim."""

    def __init__(self, task: Task, claims: Claims, waiter: Waiter | None = None) -> None:
        """Work on a `task` whose claim is stored already; `waiter` is who waits for it here."""
        self.task = task
        self.waiter = waiter
        self.is_lost = False
        self.ended = threading.Event()
        self._claims = claims
        self._saving = threading.Lock()
        self._stirred = threading.Event()
        self._resting = 0
        self._is_left = False

    @property
    def wants_cancel(self) -> bool:
        """Whether the task's caller wants its end."""
        return self.task.wants_cancel

    @property
    def is_awaited(self) -> bool:
        """Whether a client waits for it in this process."""
        return self.waiter is not None and self.waiter.is_waiting

    @property
    def must_end(self) -> bool:
        """Whether this process can do no more for it."""
        return self.is_lost or self._is_left or self._claims.drain.is_expired()

    @property
    def should_release(self) -> bool:
        """Whether another process should go on with it: this one ends, and no client waits here."""
        return self.must_end or (self._claims.drain.is_draining and not self.is_awaited)

    @property
    def remaining(self) -> float:
        """Seconds until its deadline, at least 0."""
        left = (self.task.deadline_at - self._claims.now()).total_seconds()
        return max(0.0, left)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._claims.now()

    @property
    def is_resting(self) -> bool:
        """Whether its work waits for somebody else, and takes nothing of this process."""
        return self._resting > 0

    def rest(self, seconds: float) -> None:
        """Wait for somebody else, such as a vendor that works on it.

        It lasts until its deadline at most, and ends when there may be something to do: the claim
        is lost, the process ends, or the caller wants its end.
        """
        with self.resting():
            self._stirred.wait(min(seconds, self.remaining))
        # Who rests looks at everything after this; what is set from now on ends the next rest.
        self._stirred.clear()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Leave its place to other tasks meanwhile: a vendor that hangs must not stop them."""
        self._resting += 1
        try:
            yield
        finally:
            self._resting -= 1

    def pause_before(self, look: float) -> float:
        """Return in how many seconds to look at what a vendor does, which says in `look`.

        It is later where this process has many tasks: together they ask no more often.
        """
        return max(look, self._claims.held() / _LOOKS_A_SECOND)

    def stir(self) -> None:
        """End its rest."""
        self._stirred.set()

    def leave(self) -> None:
        """Have the work on it end here: what it needs of this process is being closed."""
        self._is_left = True
        self.stir()

    def ask_to_cancel(self) -> None:
        """Note that its caller wants its end."""
        if not self.task.wants_cancel:
            self.task = replace(self.task, wants_cancel=True)
            self.stir()

    def lose(self) -> None:
        """Note that another process has it, unless it has ended here."""
        if not self.ended.is_set():
            self.is_lost = True
            self.stir()

    def save(self, document: Mapping[str, Any] | None = None, **changes: Any) -> None:
        """Save the document and other attributes; raises ClaimLost, or StoreError."""
        with self._saving:
            self._save(document, changes)

    def _save(self, document: Mapping[str, Any] | None, changes: Mapping[str, Any]) -> None:
        claimed = {"claimed_by": self._claims.worker, "claimed_until": self._claims.until()}
        values: dict[str, Any] = {**claimed, **changes}
        if document is not None:
            values["document"] = document
        changed = replace(self.task, **values)
        if self.is_lost or not self._claims.threads.run(
            partial(self._claims.store.save, changed, self._claims.worker)
        ):
            self.is_lost = True
            raise ClaimLost
        # What was asked meanwhile is not overwritten.
        self.task = replace(changed, wants_cancel=self.task.wants_cancel)

    def save_patiently(self, document: Mapping[str, Any], **changes: Any) -> None:
        """Save what must not be lost, again and again while the store is away.

        Raises:
            ClaimLost: another process has the task, or this one ends.
        """
        while True:
            try:
                self.save(document, **changes)
            except StoreError:
                if self.must_end:
                    raise ClaimLost from None
                time.sleep(_RETRY_S)
            else:
                return

    def end(self, state: TaskState, document: Mapping[str, Any]) -> None:
        """Save that it has ended; raises ClaimLost."""
        ended = {"state": state, "ended_at": self.now(), "claimed_by": "", "claimed_until": None}
        self.save_patiently(document, **ended)
        self._claims.count(self.task)

    def release(self, after: float = 0.0) -> None:
        """Leave it to any process, in `after` seconds; raises StoreError or ClaimLost."""
        due = self.now() + timedelta(seconds=after)
        self.save(due_at=due, claimed_by="", claimed_until=None)
