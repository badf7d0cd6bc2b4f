"""Claims tasks that are due, and works on each in a thread of its own (a greenlet under gevent).

A worker's claim lasts for seconds, and is renewed while it works: those of a worker that was killed
run out, and the next one that looks takes its tasks over. A worker that ends releases its tasks.
Work that waits for a vendor rests: it keeps its claim, and leaves its place to other tasks.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from llm_api.domain.tasks import Task, TaskState
from llm_api.observability.logging import log_as
from llm_api.runtime.drain import Drain
from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost, Claims, Waiter
from llm_api.storage import StoreError, TaskStore
from llm_api.storage.threads import StoreThreads

logger = logging.getLogger(__name__)

Work = Callable[[ClaimedTask], None]
LEASE_S = 30.0
_MAX_WORKING = 64  # tasks of this worker; more wait in the store for any worker
_MAX_HELD = 2_000  # with those that rest
_AT_ONCE = 16
_MAX_PAUSE_S = 60.0
_AGAIN_S = 30.0  # after an error of ours
_STIR_S = 0.5  # until those that rest see that the process ends


class TaskEngine:
    """A worker's part of the work on tasks."""

    def __init__(
        self,
        store: TaskStore,
        threads: StoreThreads,
        drain: Drain,
        *,
        lease: float = LEASE_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        count: Callable[[Task], None] = lambda _: None,
    ) -> None:
        """Start nothing yet: the thread must belong to the worker, not to its parent.

        Args:
            store: keeps tasks.
            threads: runs the store's methods.
            drain: says when the process ends.
            lease: seconds for which a claim lasts.
            now: the time in UTC.
            count: is told of every task that this process has ended.
        """
        self._store = store
        self._count = count
        self._threads = threads
        self._drain = drain
        self._now = now
        self._lease = lease
        self._works: dict[str, Work] = {}
        self._running: dict[str, ClaimedTask] = {}
        self._claims: Claims | None = None
        self._pause = 0.0
        self._renewed_at = float("-inf")
        self._thread = PeriodicThread("tasks", lease / 6, self._look)
        self._stirring = PeriodicThread("resting tasks", _STIR_S, self._stir)
        self._thread.woken.set()  # when it starts, it looks for tasks of workers that are gone

    def register(self, kind: str, work: Work) -> None:
        """Have tasks of a kind worked on; `work` returns when nothing more is to be done now."""
        self._works[kind] = work

    def start(self) -> None:
        """Look for tasks from now on."""
        self._thread.start()

    def run(self, task: Task, waiter: Waiter | None = None) -> ClaimedTask | None:
        """Store a new task, and work on it at once; raises StoreError.

        Returns:
            The task; None where this worker has enough to do: it is left to whichever has not.
        """
        if self.is_full or self._drain.is_draining:
            self.add(task)
            return None
        claims = self._own_claims()
        task = replace(task, claimed_by=claims.worker, claimed_until=claims.until())
        self._threads.run(partial(self._store.add, task))
        return self._work_on(task, waiter)

    def add(self, task: Task) -> None:
        """Store a new task for any worker; raises StoreError."""
        self._threads.run(partial(self._store.add, task))
        self.wake()

    @property
    def is_ending(self) -> bool:
        """Whether this process ends, and can wait for nothing more."""
        return self._drain.is_expired()

    @property
    def is_full(self) -> bool:
        """Whether this worker has as many tasks as it works on at a time."""
        return self._room <= 0

    @property
    def _room(self) -> int:
        working = sum(not claimed.is_resting for claimed in list(self._running.values()))
        return min(_MAX_WORKING - working, _MAX_HELD - len(self._running))

    def has(self, task_id: str) -> bool:
        """Whether there is a task; raises StoreError."""
        return self._threads.run(partial(self._store.get, task_id)) is not None

    def newest(self, at_most: int, *, has_ended: bool) -> list[Task]:
        """Return tasks of all workers that have ended, or have not; raises StoreError."""
        return self._threads.run(partial(self._store.newest, at_most, has_ended=has_ended))

    def wake(self) -> None:
        """Look for tasks now."""
        self.start()
        self._thread.woken.set()

    def running(self, task_id: str) -> ClaimedTask | None:
        """Return a task that this process works on."""
        return self._running.get(task_id)

    def _own_claims(self) -> Claims:
        """Return how this process claims: its name must not be that of a process it forked from."""
        if self._claims is None:
            worker = f"{os.getpid()}-{secrets.token_hex(4)}"
            self._claims = Claims(
                self._store,
                self._threads,
                self._drain,
                worker,
                self._lease,
                self._now,
                self._count,
                lambda: len(self._running),
            )
        return self._claims

    def _look(self) -> None:
        """Renew the claims, and claim what is due; waits longer each time while the store fails."""
        try:
            self._renew_all()
            self._claim_due()
        except StoreError as error:
            self._pause = min(max(self._pause * 2, 1.0), _MAX_PAUSE_S)
            logger.warning("tasks wait for the database", extra={"cause": str(error)})
            # Claims must be renewed as soon as it is back.
            self._thread.pause(min(self._pause, self._lease / 6) if self._running else self._pause)
        else:
            self._pause = 0.0

    def _renew_all(self) -> None:
        """Renew all claims where that is due, and look what became of them."""
        # Before the store is asked: what is claimed from now on need not be in its answer.
        held = dict(self._running)
        if not held:
            return
        claims, now = self._own_claims(), time.monotonic()
        is_due = now - self._renewed_at > self._lease / 4
        until = claims.until() if is_due else None
        found = self._threads.run(partial(self._store.renew, claims.worker, held, until))
        if is_due:
            self._renewed_at = now
        for task_id, claimed in held.items():
            if task_id not in found:
                claimed.lose()
            elif found[task_id]:
                claimed.ask_to_cancel()

    def _stir(self) -> None:
        """End the rest of tasks that another process should go on with."""
        if self._drain.is_draining:
            for claimed in list(self._running.values()):
                if claimed.is_resting and claimed.should_release:
                    claimed.stir()

    def _claim_due(self) -> None:
        while not self._drain.is_draining and not self._thread.is_closing:
            room = min(_AT_ONCE, self._room)
            if room <= 0:
                return
            tasks = self._claim(room)
            for task in tasks:
                self._work_on(task, None)
            if len(tasks) < room:
                return

    def _claim(self, at_most: int) -> Sequence[Task]:
        claims = self._own_claims()
        claim = partial(
            self._store.claim,
            claims.worker,
            self._now(),
            claims.until(),
            kinds=sorted(self._works),
            at_most=at_most,
        )
        return [task for task in self._threads.run(claim) if task.id not in self._running]

    def _work_on(self, task: Task, waiter: Waiter | None) -> ClaimedTask:
        claimed = ClaimedTask(task, self._own_claims(), waiter)
        self._running[task.id] = claimed
        self._drain.enter()
        self.start()
        self._stirring.start()
        threading.Thread(
            target=self._work, args=[claimed], name=f"task-{task.kind}", daemon=True
        ).start()
        return claimed

    def _work(self, claimed: ClaimedTask) -> None:
        log_as(claimed.task.request_id)
        try:
            self._works[claimed.task.kind](claimed)
        except ClaimLost:
            logger.warning("task lost to another worker", extra={"task": claimed.task.id})
        except StoreError as error:  # its claim runs out, and it is claimed again
            extra = {"task": claimed.task.id, "cause": str(error)}
            logger.warning("task waits for the database", extra=extra)
        except Exception:
            # A bug of ours in one task: its claim is given back, and the others go on.
            logger.exception("task failed", extra={"task": claimed.task.id})
            self._put_off(claimed)
        finally:
            claimed.ended.set()
            self._running.pop(claimed.task.id, None)
            self._drain.leave()

    def _put_off(self, claimed: ClaimedTask) -> None:
        """After an error of ours: try again later, unless its time is over."""
        try:
            if claimed.remaining:
                claimed.release(_AGAIN_S)
            else:
                claimed.end(TaskState.EXPIRED, claimed.task.document)
        except (StoreError, ClaimLost):
            logger.warning("task waits for its claim to run out", extra={"task": claimed.task.id})

    def close(self) -> None:
        """Claim nothing more, and leave to other processes what the drain has not ended."""
        self._thread.close()
        self._stirring.close()
        for claimed in list(self._running.values()):
            claimed.leave()
