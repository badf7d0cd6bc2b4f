"""Finds jobs, and says in errors of the API what its store says in its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self, TypeVar

from llm_api.domain.access import ApiKey
from llm_api.domain.audit import JOB_CANCEL, JOB_DELETE, Actor, AdminAct
from llm_api.domain.tasks import Task
from llm_api.errors import InvalidRequest, NotFound, Unavailable
from llm_api.services.audit import act_on_job
from llm_api.services.jobs.document import IMAGE
from llm_api.services.jobs.store_health import StoreHealth
from llm_api.services.tasks.claimed import ClaimedTask
from llm_api.services.tasks.engine import TaskEngine
from llm_api.storage import StoreError, TaskStore
from llm_api.storage.threads import StoreThreads
from llm_api.upstream.faults import ClientGone

JOBS_AWAY = Unavailable(
    "Jobs cannot be looked up at the moment; try again.",
    reason="store_unavailable",
    retry_after=5,
)
JOB_RUNNING = InvalidRequest("The job has not ended; cancel it first.", reason="job_running")
_T = TypeVar("_T")
_LOOK_S = 0.25  # for the end of a job in this process, and for its client
_LOOK_FAR_S = 1.0  # for that of a job in another one


def _utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class JobStore:
    """Where jobs are kept, for how long, and who works on them.

    `purge_texts` deletes what is kept elsewhere of what was written for a job, and `record` stores
    the act of an admin.
    """

    tasks: TaskStore
    threads: StoreThreads
    engine: TaskEngine
    keep: timedelta
    health: StoreHealth
    purge_texts: Callable[[Task], None] = lambda _: None
    record: Callable[[AdminAct], None] = lambda _: None
    kind: str = IMAGE
    now: Callable[[], datetime] = _utc_now

    def of_kind(self, kind: str) -> Self:
        """Return the same store for jobs of another kind."""
        return replace(self, kind=kind)

    def of_key(self, task_id: str, key: ApiKey | None) -> Task:
        """Return the task of a job of a key, or of any for an admin's; raises NotFound."""
        task = self.found(task_id)
        owner = None if key is None else key.id
        if task.kind != self.kind or (
            task.key_id != owner and not (key is not None and key.is_admin)
        ):
            raise _unknown()
        return task

    def awaited(self, task_id: str, key: ApiKey | None, seconds: float) -> Task:
        """Return the task of a job as `of_key` does, at its end or after so many seconds."""
        task = self.of_key(task_id, key)
        if seconds <= 0 or task.state.has_ended:
            return task
        self.wait(task_id, self.engine.running(task_id), seconds)
        return self.of_key(task_id, key)

    def found(self, task_id: str) -> Task:
        """Return a task; raises NotFound, also where its time is over and it is still there."""
        task = self.run(partial(self.tasks.get, task_id))
        if task is None or self.is_over(task):
            raise _unknown()
        return task

    def is_over(self, task: Task) -> bool:
        """Whether a task is only there until it is deleted."""
        return task.state.has_ended and task.expires_at <= self.now()

    def ask_to_cancel(self, task: Task, by: Actor | None) -> None:
        """Mark that a job's end is wanted: by its caller, or by an admin, whose act is stored."""
        act = act_on_job(task, by, JOB_CANCEL, self.now())
        self.run(partial(self.tasks.ask_to_cancel, task.id, self.now(), act))

    def begin_purge(self, task: Task, by: Actor | None) -> None:
        """Delete what was written for a job that has ended, before the job itself is deleted.

        An admin's act is stored before, as a deletion is no single transaction: there may be an act
        whose deletion was cut, and there is no deletion without its act.

        Raises:
            InvalidRequest: it has not ended.
            Unavailable: a store cannot be used at the moment.
        """
        if not task.state.has_ended:
            raise JOB_RUNNING.replaced()
        if (act := act_on_job(task, by, JOB_DELETE, self.now())) is not None:
            self.run(partial(self.record, act))
        self.purge_texts(task)

    def wait(
        self,
        task_id: str,
        claimed: ClaimedTask | None,
        seconds: float,
        is_disconnected: Callable[[], bool] | None = None,
    ) -> None:
        """Wait until a job has ended; raises ClientGone where its client has left."""
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0 and not self.engine.is_ending:
            if claimed is not None:
                has_ended = claimed.ended.wait(min(left, _LOOK_S))
                if has_ended and not claimed.task.state.has_ended:  # it was put off
                    claimed, has_ended = None, False
            else:
                time.sleep(min(left, _LOOK_FAR_S))
                has_ended = self.found(task_id).state.has_ended
            if is_disconnected is not None and is_disconnected():
                raise ClientGone
            if has_ended:
                return

    def run(self, act: Callable[[], _T]) -> _T:
        """Run a method of the store; raises Unavailable where it fails."""
        return self.do(partial(self.threads.run, act))

    def do(self, act: Callable[[], _T]) -> _T:
        """Do what needs the store; raises Unavailable where that fails."""
        try:
            return act()
        except StoreError as error:
            raise JOBS_AWAY.replaced() from error


def _unknown() -> NotFound:
    return NotFound("There is no such job.", reason="job_not_found")
