"""Tasks in a SQL database.

Claimed rows are selected FOR UPDATE SKIP LOCKED and then updated, in one transaction: a form that
every database has, as MySQL knows neither RETURNING nor LIMIT in a subquery. On SQLite, whose
dialect leaves the words out, BEGIN IMMEDIATE keeps other writers away.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.audit import AdminAct
from llm_api.domain.tasks import Task, TaskState
from llm_api.storage.sql.audit_table import add_act
from llm_api.storage.sql.tables import tasks
from llm_api.storage.sql.transactions import Transactions, aware, naive

_SKIPS_LOCKED_SINCE = (10, 6)  # MariaDB; every MySQL and PostgreSQL that is supported does
_MOMENTS = (
    "created_at",
    "due_at",
    "deadline_at",
    "expires_at",
    "started_at",
    "ended_at",
    "claimed_until",
)


class SqlTasks:
    """Keeps tasks in the table `tasks`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._do = Transactions(engine)

    def add(self, task: Task) -> None:
        """See TaskStore."""
        self._do.write(lambda connection: connection.execute(sa.insert(tasks), _row(task)))

    def get(self, task_id: str) -> Task | None:
        """See TaskStore."""
        return self._do.read(partial(_find, sa.select(tasks).where(tasks.c.id == task_id)))

    def claim(
        self, worker: str, now: datetime, until: datetime, *, kinds: Sequence[str], at_most: int
    ) -> list[Task]:
        """See TaskStore."""
        moment = naive(now)
        # Compared, as MySQL uses no index for IS FALSE.
        due = (
            sa.select(tasks)
            .where(tasks.c.has_ended == sa.false(), tasks.c.due_at <= moment)
            .where(tasks.c.kind.in_(kinds))
            .where((tasks.c.claimed_by == "") | (tasks.c.claimed_until <= moment))
            .order_by(tasks.c.due_at)
            .limit(at_most)
        )
        found = self._do.write(partial(_claim, due, worker, until))
        return [replace(task, claimed_by=worker, claimed_until=until) for task in found]

    def save(self, task: Task, worker: str) -> bool:
        """See TaskStore."""
        return self._do.write(partial(_save, task, worker))

    def renew(
        self, worker: str, task_ids: Collection[str], until: datetime | None
    ) -> Mapping[str, bool]:
        """See TaskStore."""
        claimed = (tasks.c.has_ended == sa.false()) & (tasks.c.claimed_by == worker)
        do = self._do.read if until is None else self._do.write
        return do(partial(_renew, claimed & tasks.c.id.in_(task_ids), until))

    def ask_to_cancel(
        self, task_id: str, now: datetime, act: AdminAct | None = None
    ) -> Task | None:
        """See TaskStore."""
        return self._do.write(partial(_ask_to_cancel, task_id, now, act))

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
        """See TaskStore."""
        place = (tasks.c.created_at, tasks.c.id)
        # Not IS NOT DISTINCT FROM, for which PostgreSQL has no use of an index.
        found = sa.select(tasks).where(tasks.c.key_id == key_id)
        found = found.where(tasks.c.kind == kind).limit(at_most)
        if states:
            found = found.where(tasks.c.state.in_([state.value for state in states]))
        if after is not None:
            began, later = naive(after.created_at), sa.tuple_(*place)
            at = sa.tuple_(sa.literal(began), sa.literal(after.id))
            found = found.where(later > at if is_oldest_first else later < at)
        order = place if is_oldest_first else [one.desc() for one in place]
        return self._do.read(lambda connection: _tasks(connection, found.order_by(*order)))

    def delete(self, task_id: str) -> None:
        """See TaskStore."""
        of_id = sa.delete(tasks).where(tasks.c.id == task_id)
        self._do.write(lambda connection: connection.execute(of_id))

    def expired(self, now: datetime, at_most: int) -> list[Task]:
        """See TaskStore."""
        over = (
            sa.select(tasks)
            .where(tasks.c.has_ended == sa.true(), tasks.c.expires_at <= naive(now))
            .order_by(tasks.c.expires_at)
            .limit(at_most)
        )
        return self._do.read(lambda connection: _tasks(connection, over))

    def unended(self) -> dict[tuple[str, str], int]:
        """See TaskStore."""
        counted = (
            sa.select(tasks.c.kind, tasks.c.state, sa.func.count())
            .where(tasks.c.has_ended == sa.false())
            .group_by(tasks.c.kind, tasks.c.state)
        )
        return self._do.read(
            lambda connection: {
                (kind, state): count for kind, state, count in connection.execute(counted)
            }
        )

    def newest(self, at_most: int, *, has_ended: bool) -> list[Task]:
        """See TaskStore."""
        wanted = (
            sa.select(tasks)
            .where(tasks.c.has_ended == (sa.true() if has_ended else sa.false()))
            .order_by(tasks.c.created_at.desc(), tasks.c.id)
            .limit(at_most)
        )
        return self._do.read(lambda connection: _tasks(connection, wanted))


def _claim(due: sa.Select[Any], worker: str, until: datetime, connection: Connection) -> list[Task]:
    skips = _skips_locked(connection.dialect)
    found = _tasks(connection, due.with_for_update(skip_locked=skips))
    if found:
        connection.execute(
            sa.update(tasks)
            .where(tasks.c.id.in_([task.id for task in found]))
            .values(claimed_by=worker, claimed_until=naive(until))
        )
    return found


def _skips_locked(dialect: sa.Dialect) -> bool:
    """Whether the database can pass over rows that others have locked, instead of waiting."""
    version: tuple[Any, ...] = getattr(dialect, "server_version_info", None) or ()
    return not getattr(dialect, "is_mariadb", False) or version >= _SKIPS_LOCKED_SINCE


def _save(task: Task, worker: str, connection: Connection) -> bool:
    claimed = (tasks.c.id == task.id) & (tasks.c.claimed_by == worker)
    # Selected, because MySQL counts only the rows that an update changes.
    stored = _find(sa.select(tasks).where(claimed).with_for_update(), connection)
    if stored is None:
        return False
    row = _row(task)
    del row["id"], row["wants_cancel"]
    if stored.wants_cancel and not task.wants_cancel:
        # The worker does not know of it yet: somebody must look at the task now, not when it says.
        row["due_at"] = min(row["due_at"], naive(stored.due_at))
    connection.execute(sa.update(tasks).where(claimed), row)
    return True


def _renew(
    claimed: sa.ColumnElement[bool], until: datetime | None, connection: Connection
) -> dict[str, bool]:
    if until is not None:
        connection.execute(sa.update(tasks).where(claimed).values(claimed_until=naive(until)))
    found = connection.execute(sa.select(tasks.c.id, tasks.c.wants_cancel).where(claimed))
    return {row.id: row.wants_cancel for row in found}


def _ask_to_cancel(
    task_id: str, now: datetime, act: AdminAct | None, connection: Connection
) -> Task | None:
    of_id = tasks.c.id == task_id
    stored = _find(sa.select(tasks).where(of_id).with_for_update(), connection)
    if stored is None or stored.state.has_ended:
        return stored
    due_at = min(stored.due_at, now)
    change = sa.update(tasks).where(of_id).values(wants_cancel=True, due_at=naive(due_at))
    connection.execute(change)
    if act is not None:
        add_act(connection, act)
    return replace(stored, wants_cancel=True, due_at=due_at)


def _find(statement: sa.Select[Any], connection: Connection) -> Task | None:
    return next(iter(_tasks(connection, statement)), None)


def _tasks(connection: Connection, statement: sa.Select[Any]) -> list[Task]:
    return [_task(row) for row in connection.execute(statement).mappings()]


def _row(task: Task) -> dict[str, Any]:
    row = {name: getattr(task, name) for name in Task.__slots__}
    row |= {name: naive(row[name]) for name in _MOMENTS}
    row["document"] = dict(task.document)
    row["state"] = task.state.value
    row["has_ended"] = task.state.has_ended
    return row


def _task(row: sa.RowMapping) -> Task:
    values = {name: row[name] for name in Task.__slots__}
    values |= {name: aware(row[name]) for name in _MOMENTS}
    return Task(**{**values, "state": TaskState(row["state"])})
