"""The usage store in a SQL database."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from llm_api.domain.usage import UsageQuery, UsageRecord, UsageSums
from llm_api.storage import RefusedError, StoreError
from llm_api.storage.sql.budgets import settle
from llm_api.storage.sql.compatibility import check_revision
from llm_api.storage.sql.engine import READS
from llm_api.storage.sql.errors import what_failed
from llm_api.storage.sql.reports import read_sums
from llm_api.storage.sql.rollups import add_to_rollups
from llm_api.storage.sql.tables import usage
from llm_api.storage.sql.writing import insert_rows

_fields_of = attrgetter(*UsageRecord.__slots__)
# PostgreSQL and MySQL refuse rows with longer values.
_LENGTHS = {
    column.name: column.type.length
    for column in usage.columns
    if isinstance(column.type, sa.String) and column.type.length
}


class SqlUsageStore:
    """Keeps usage rows in the table `usage`, and their sums beside it."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self.engine = engine

    def add(self, records: Sequence[UsageRecord]) -> None:
        """See UsageStore."""
        rows = {record.request_id: _row(record) for record in records}
        if not rows:
            return
        try:
            try:
                self._insert(list(rows.values()))
            except sa.exc.IntegrityError:
                self._insert_new(rows)
        # sqlite3 raises OverflowError for a number that is too large.
        except (sa.exc.DataError, sa.exc.IntegrityError, OverflowError) as error:
            raise RefusedError("The database cannot hold a value of a row.") from error
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def _insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self.engine.begin() as connection:
            _keep(connection, rows)

    def _insert_new(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Insert the rows that are not stored yet.

        Selected first instead of `ON CONFLICT`, which is spelled differently by every database. A
        row is added twice only when a process died between its commit and the removal of its spool
        file, and one process at a time reads such a file.
        """
        ids = sa.select(usage.c.request_id).where(usage.c.request_id.in_(list(rows)))
        with self.engine.begin() as connection:
            known = set(connection.scalars(ids))
            if new := [row for request_id, row in rows.items() if request_id not in known]:
                _keep(connection, new)

    def report(self, query: UsageQuery) -> list[UsageSums]:
        """See UsageStore."""
        try:
            with self._reading() as connection:
                return read_sums(connection, query)
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def find(self, request_id: str, key_id: str | None, at_most: int) -> list[UsageRecord]:
        """See UsageStore."""
        # Each column has an index of its own, and not every database uses two for an OR.
        wanted = [
            sa.select(usage)
            .where(column == request_id, *([] if key_id is None else [usage.c.key_id == key_id]))
            .order_by(usage.c.created_at.desc(), usage.c.request_id)
            .limit(at_most)
            for column in (usage.c.request_id, usage.c.shown_id)
        ]
        try:
            with self._reading() as connection:
                found = [row for one in wanted for row in connection.execute(one).mappings()]
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error
        records = {row["request_id"]: _record(row) for row in found}
        newest = sorted(records.values(), key=lambda record: record.created_at, reverse=True)
        return newest[:at_most]

    def prune(self, before: datetime, at_most: int) -> int:
        """See UsageStore."""
        old = (
            sa.select(usage.c.request_id)
            .where(usage.c.created_at < before.replace(tzinfo=None))
            .order_by(usage.c.created_at)
            .limit(at_most)
        )
        try:
            # Selected before the transaction that deletes: MySQL has no LIMIT in a subquery.
            with self._reading() as connection:
                ids = list(connection.scalars(old))
            if ids:
                with self.engine.begin() as connection:
                    connection.execute(sa.delete(usage).where(usage.c.request_id.in_(ids)))
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error
        return len(ids)

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return self.engine.connect().execution_options(**READS)

    def check(self) -> None:
        """See UsageStore."""
        try:
            with self._reading() as connection:
                check_revision(connection)
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def close(self) -> None:
        """See UsageStore."""
        self.engine.dispose()


def _keep(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, add them to the sums, and settle their budgets."""
    insert_rows(connection, usage, rows)
    add_to_rollups(connection, rows)
    settle(connection, rows)


def _row(record: UsageRecord) -> dict[str, Any]:
    # dataclasses.asdict copies every value deeply, which costs more than the insert.
    row = dict(zip(UsageRecord.__slots__, _fields_of(record), strict=True))
    row["created_at"] = record.created_at.replace(tzinfo=None)  # the column is in UTC
    for name, length in _LENGTHS.items():
        if (text := row[name]) is not None and len(text) > length:
            row[name] = text[:length]
    return row


def _record(row: Mapping[Any, Any]) -> UsageRecord:
    fields = {name: row[name] for name in UsageRecord.__slots__}
    fields["created_at"] = row["created_at"].replace(tzinfo=UTC)
    fields["attempts_detail"] = row["attempts_detail"] or []
    return UsageRecord(**fields)
