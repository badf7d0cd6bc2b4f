"""Remembers which job a request has begun, so that a repeat joins it, whichever process it meets.

A mark is a task that has ended: it is found by a hash of the repeat's key, and stays for a day. Of
two processes that set the same mark at once, the database lets one.
"""

import hashlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from llm_api.domain.repeats import IdempotencyKey
from llm_api.domain.tasks import Task, TaskState
from llm_api.services.idempotency import key_reused
from llm_api.services.jobs.document import KINDS, JobDocument
from llm_api.services.jobs.outcome import error_of
from llm_api.storage import StoreError, TaskStore
from llm_api.storage.threads import StoreThreads

_KIND = "repeat"
_MARKED = timedelta(days=1)
_ID_LENGTH = 60
_PAUSE_S = 0.05
# Longer than a store may take to write a job down; then its process has died before it did.
_BEGINS_WITHIN = timedelta(seconds=15)


class _NotBegun(Exception):
    """A mark is there, and its job is not yet."""


class JobRepeats:
    """Marks jobs by the requests that have begun them."""

    def __init__(
        self, tasks: TaskStore, threads: StoreThreads, now: Callable[[], datetime]
    ) -> None:
        """Keep marks beside the jobs.

        Args:
            tasks: where both are.
            threads: runs the store's methods.
            now: the time in UTC.
        """
        self._tasks = tasks
        self._threads = threads
        self._now = now

    def find(self, identity: IdempotencyKey) -> str | None:
        """Return the id of the job that a repeat joins; None where it has to begin one.

        Raises:
            InvalidRequest: the key was used for another body.
            StoreError: the store failed.
        """
        return self._when_begun(lambda: self._walk(identity)[0])

    def claim(self, identity: IdempotencyKey, job: Task) -> str | None:
        """Mark a job that is about to begin, or return the id of the one to join in its place.

        Raises:
            InvalidRequest: the key was used for another body.
            StoreError: the store failed.
        """
        return self._when_begun(lambda: self._claim(identity, job))

    def _when_begun(self, look: Callable[[], str | None]) -> str | None:
        """Look until no job is about to begin: its mark is there a moment before it is."""
        while True:
            try:
                return self._threads.run(look)
            except _NotBegun:
                time.sleep(_PAUSE_S)

    def _claim(self, identity: IdempotencyKey, job: Task) -> str | None:
        other, mark_id = self._walk(identity)
        if other is not None:
            return other
        try:
            self._tasks.add(self._mark(mark_id, identity, job))
        except StoreError:  # another process was faster, or the store is away
            other, free = self._walk(identity)
            if other is None and free == mark_id:
                raise
            return other or self._claim(identity, job)
        return None

    def _mark(self, mark_id: str, identity: IdempotencyKey, job: Task) -> Task:
        now = self._now()
        return Task(
            mark_id,
            _KIND,
            created_at=now,
            due_at=now,
            deadline_at=now,
            expires_at=now + _MARKED,
            ended_at=now,
            state=TaskState.SUCCEEDED,
            document={"job": job.id, "fingerprint": identity.fingerprint},
            key_id=job.key_id,
            request_id=job.request_id,
        )

    def _walk(self, identity: IdempotencyKey) -> tuple[str | None, str]:
        """Return the job to join, and the id for the next mark.

        The mark of a job that a repeat does not join leads to the next one: it is never changed.
        """
        text = identity.key
        while (mark := self._tasks.get(mark_id := _mark_id(text))) is not None:
            job_id = mark.document["job"]
            if mark.created_at + timedelta(seconds=identity.keep_s) > self._now():
                if mark.document["fingerprint"] != identity.fingerprint:
                    raise key_reused()
                if identity.joins and self._is_to_join(job_id, mark):
                    return job_id, mark_id
            text = f"{text}\0{job_id}"
        return None, mark_id

    def _is_to_join(self, job_id: str, mark: Task) -> bool:
        """Whether a job goes on, has pictures, or may have cost something.

        Raises _NotBegun where it is about to begin.
        """
        job = self._tasks.get(job_id)
        if job is None:
            if mark.created_at + _BEGINS_WITHIN > self._now():
                raise _NotBegun
            return False  # deleted, or never begun
        if job.kind not in KINDS:
            return _is_loop_to_join(job)
        document = JobDocument[Any].read(job.document)
        error = error_of(document) if job.state.has_ended else None
        return error is None or error.may_have_charged


def _is_loop_to_join(loop: Task) -> bool:
    """Whether a loop goes on, has pictures, or has cost something, also where nobody knows what."""
    is_free = loop.document["charged"]["micro"] == 0
    return not loop.state.has_ended or loop.state is TaskState.SUCCEEDED or not is_free


def _mark_id(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"rep_{digest[:_ID_LENGTH]}"
