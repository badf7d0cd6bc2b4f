"""Finds jobs, and says in errors of the API what its store says in its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from llm_api.domain.access import ApiKey
from llm_api.domain.tasks import Task
from llm_api.errors import NotFound, Unavailable
from llm_api.services.images.keeping import StoreHealth
from llm_api.services.images.orders import KIND
from llm_api.services.tasks.engine import TaskEngine
from llm_api.storage import StoreError, TaskStore
from llm_api.storage.threads import StoreThreads

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class JobStore:
    """Where jobs are kept, for how long, and who works on them.

    `purge_texts` deletes what is kept elsewhere of what was written for a job.
    """

    tasks: TaskStore
    threads: StoreThreads
    engine: TaskEngine
    keep: timedelta
    health: StoreHealth
    purge_texts: Callable[[Task], None] = lambda _: None

    def of_key(self, task_id: str, key: ApiKey | None) -> Task:
        """Return the task of a job of a key, or of any for an admin's; raises NotFound."""
        task = self.found(task_id)
        owner = None if key is None else key.id
        if task.kind != KIND or (task.key_id != owner and not (key is not None and key.is_admin)):
            raise _unknown()
        return task

    def found(self, task_id: str) -> Task:
        """Return a task; raises NotFound."""
        task = self.run(partial(self.tasks.get, task_id))
        if task is None:
            raise _unknown()
        return task

    def run(self, act: Callable[[], _T]) -> _T:
        """Run a method of the store; raises Unavailable where it fails."""
        return self.do(partial(self.threads.run, act))

    def do(self, act: Callable[[], _T]) -> _T:
        """Do what needs the store; raises Unavailable where that fails."""
        try:
            return act()
        except StoreError as error:
            message = "Jobs cannot be looked up at the moment; try again."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error


def _unknown() -> NotFound:
    return NotFound("There is no such job.", reason="job_not_found")
