"""Stores: where usage rows, API keys and budgets are kept.

The Protocols below, and of the files `…_store.py`, are the contract of a store;
`tests/storage/contract*.py` has it as tests.

* `sql` implements all of them for SQLite, PostgreSQL, MySQL and MariaDB, named by a URL.
* `clickhouse` keeps usage rows in ClickHouse.
* `sums` sums up calls and builds reports, for every usage store.
* `factory` opens the stores of an installation, `retention` prunes the usage store.
* `spool` is the durable queue between calls and the usage store: no call waits for a database, and
  no row is lost when a worker or a database dies.
* `redis` counts calls in progress and keeps responses for repeated requests, and items of answers,
  across processes; `item_memory` keeps items in one, and `kept_items` is the contract of both.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from llm_api.domain.audit import AdminAct
from llm_api.domain.files import StoredFile
from llm_api.domain.lineage import LineageEvent
from llm_api.domain.tasks import Task, TaskState
from llm_api.domain.usage import UsageQuery, UsageRecord, UsageSums


class StoreError(Exception):
    """A store operation failed.

    The message is a sentence for the operator, without addresses, credentials or stored values.
    """


class RefusedError(StoreError):
    """A store cannot hold a value of these records, now or later."""


class UsageStore(Protocol):
    """Keeps usage rows, and sums of them that outlive the rows.

    One thread of each worker calls it at a time, and several processes do at once.
    """

    def add(self, records: Sequence[UsageRecord]) -> None:
        """Store some hundred records or fewer, all or none; when it returns, they are durable.

        Records whose `request_id` is stored already are ignored.

        Raises:
            RefusedError: a record has a value that the store cannot hold.
            StoreError: the store failed; the same records will be added again.
        """

    def report(self, query: UsageQuery) -> list[UsageSums]:
        """Sum up the calls of a time span in groups, ordered by the values of `query.group_by`.

        Calls whose records were pruned are included. A call with several tags is in the group of
        each of them.

        Raises:
            StoreError: the store failed.
        """

    def find(self, request_id: str, key_id: str | None, at_most: int) -> list[UsageRecord]:
        """Return the records with an id as their `request_id` or `shown_id`, the newest first.

        Args:
            request_id: any text without control characters.
            key_id: only records of this key; None for those of all.
            at_most: number of records to return.

        Raises:
            StoreError: the store failed.
        """

    def prune(self, before: datetime, at_most: int) -> int:
        """Delete the oldest records, and return how many were deleted; sums stay.

        Args:
            before: records of calls that started earlier are deleted; timezone-aware.
            at_most: number of records to delete. `add` must not wait longer than their deletion
                takes.

        Raises:
            StoreError: the store failed.
        """

    def check(self) -> None:
        """Return if `add` would succeed now.

        Raises:
            StoreError: it would fail, for example because the schema is not migrated.
        """

    def close(self) -> None:
        """Close all connections."""


class TaskStore(Protocol):
    """Keeps tasks; several processes work on them, each on its own.

    All times are timezone-aware, in UTC. Every method raises StoreError when the store fails.
    """

    def add(self, task: Task) -> None:
        """Store a new task; when it returns, the task is durable."""

    def get(self, task_id: str) -> Task | None:
        """Return a task by its id."""

    def claim(
        self, worker: str, now: datetime, until: datetime, *, kinds: Sequence[str], at_most: int
    ) -> list[Task]:
        """Claim due tasks that have not ended for a worker, the longest due first.

        Those of another worker are claimed where its claim has run out. No task is ever claimed
        by two workers at a time.
        """

    def save(self, task: Task, worker: str) -> bool:
        """Overwrite a task that the worker has claimed, but for `wants_cancel`.

        `claimed_by` and `claimed_until` of the task extend its claim, or end it.

        Returns:
            Whether the worker still had it; False leaves what is stored.
        """

    def renew(
        self, worker: str, task_ids: Collection[str], until: datetime | None
    ) -> Mapping[str, bool]:
        """Extend a worker's claims on some tasks; None leaves them as they are.

        A task that the worker has given up is none of them: its claim is to run out.

        Returns:
            Whether somebody wants its end, by the id of each that the worker has and that has not
            ended.
        """

    def ask_to_cancel(
        self, task_id: str, now: datetime, act: AdminAct | None = None
    ) -> Task | None:
        """Mark that somebody wants a task's end, and make it due; returns the task as it is.

        Where an admin does so with another's task, `act` is stored with it, or nothing is.
        """

    def of_key(
        self,
        kind: str,
        key_id: str | None,
        *,
        states: Sequence[TaskState],
        after: Task | None,
        at_most: int,
        is_oldest_first: bool,
    ) -> list[Task]:
        """Return tasks of a kind and a key, in the order of their beginnings.

        Args:
            kind: as `Task.kind`.
            key_id: whose they are; None for those of anonymous callers.
            states: those that they are in; empty for all.
            after: the last one of the page before.
            at_most: how many.
            is_oldest_first: whether the oldest come first, and not the newest.
        """

    def delete(self, task_id: str) -> None:
        """Delete a task."""

    def expired(self, now: datetime, at_most: int) -> list[Task]:
        """Return tasks that have ended, and whose `expires_at` is over."""

    def unended(self) -> dict[tuple[str, str], int]:
        """Return how many tasks have not ended, by kind and state."""

    def newest(self, at_most: int, *, has_ended: bool) -> list[Task]:
        """Return tasks that have ended, or have not, the one that was added last first."""


class LineageStore(Protocol):
    """Keeps what has happened in lineages.

    All times are timezone-aware, in UTC. Every method raises StoreError when the store fails.
    """

    def add(self, events: Sequence[LineageEvent]) -> None:
        """Store some hundred events or fewer, all or none; those of known ids are ignored.

        Of an event whose lineage was purged after it, the texts are left out.

        Raises:
            RefusedError: an event has a value that the store cannot hold.
        """

    def put(self, event: LineageEvent, act: AdminAct | None = None) -> None:
        """Store an event in place of that of the same id, if there is one.

        Where an admin does so in another's lineage, `act` is stored with it, or nothing is; what
        was said before is added to it.
        """

    def of_lineage(self, lineage_id: str) -> list[LineageEvent]:
        """Return the events of a lineage, of all keys, in the order of their times."""

    def of_job(self, job_id: str) -> list[LineageEvent]:
        """Return the events that name a job, in the order of their times."""

    def page(self, since: datetime, after: str, at_most: int) -> list[LineageEvent]:
        """Return at most so many events since a time, by the ids of their lineages, without texts.

        Only lineages whose id is behind `after` are returned; the last one may be cut.
        """

    def purge(self, event: LineageEvent) -> None:
        """Delete the texts of the lineage and key of a `purge` event, and store the event."""

    def forget_texts(self, before: datetime, at_most: int) -> int:
        """Delete texts that are older than a time, of some events; returns how many."""

    def prune(self, before: datetime, at_most: int) -> int:
        """Delete the oldest events before a time, and return how many were deleted."""


class FileIndex(Protocol):
    """Keeps what is known of files; their bytes are in a FileStore.

    Every method raises StoreError when the store fails.
    """

    def add(self, file: StoredFile) -> None:
        """Store a new file's properties."""

    def get(self, file_id: str) -> StoredFile | None:
        """Return a file by its id."""

    def of_tasks(self, task_ids: Sequence[str]) -> list[StoredFile]:
        """Return the files of tasks, in the order in which they were added."""

    def expired(self, now: datetime, at_most: int) -> list[StoredFile]:
        """Return files whose `expires_at` is over."""

    def delete(self, file_id: str) -> None:
        """Delete a file's properties."""


class FileStore(Protocol):
    """Keeps bytes under names of letters, digits, `_` and `-`.

    Its methods block, and must run in native threads. Each raises StoreError when the store fails.
    """

    def put(self, name: str, pieces: Iterable[bytes]) -> int:
        """Store bytes under a new name, all or none, and return how many; then they are durable."""

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `end`, in pieces of at most 1 MiB.

        Raises:
            StoreError: also where there is no such name.
        """

    def delete(self, name: str) -> None:
        """Delete what is stored under a name, if there is anything."""

    def check(self) -> None:
        """Return if bytes could be stored now; raises StoreError otherwise."""

    def close(self) -> None:
        """Close all connections."""
