"""The usage store in a SQL database."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from llm_api.domain import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.engine import READS
from llm_api.storage.tables import usage

_UNDEFINED_TABLE = "42P01"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


class SqlUsageStore:
    """Keeps usage rows in the table `usage`."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine from `make_engine`."""
        self._engine = engine

    def add(self, records: Sequence[UsageRecord]) -> None:
        """See UsageStore."""
        rows = {record.request_id: _row(record) for record in records}
        try:
            try:
                self._insert(list(rows.values()))
            except sa.exc.IntegrityError:
                self._insert_new(rows)
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def _insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.insert(usage), rows)

    def _insert_new(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Insert the rows that are not there yet.

        Looked up instead of `ON CONFLICT`, which every database spells differently. A row comes
        twice only when a process died between its commit and the removal of its spool file, and one
        process at a time reads such a file.
        """
        ids = sa.select(usage.c.request_id).where(usage.c.request_id.in_(list(rows)))
        with self._engine.begin() as connection:
            known = set(connection.scalars(ids))
            if new := [row for request_id, row in rows.items() if request_id not in known]:
                connection.execute(sa.insert(usage), new)

    def check(self) -> None:
        """See UsageStore."""
        try:
            with self._engine.connect().execution_options(**READS) as connection:
                connection.execute(sa.select(usage.c.request_id).limit(1)).all()
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def close(self) -> None:
        """See UsageStore."""
        self._engine.dispose()


def _row(record: UsageRecord) -> dict[str, Any]:
    # dataclasses.asdict copies every value deeply, which costs more than the insert.
    row = {name: getattr(record, name) for name in UsageRecord.__slots__}
    row["created_at"] = record.created_at.replace(tzinfo=None)  # the column is UTC by definition
    for name in ("model", "model_asked"):
        if row[name] is not None:
            row[name] = row[name][:256]
    return row


def what_failed(error: sa.exc.SQLAlchemyError) -> str:
    """Say what failed without the statement, its values or the address."""
    cause = getattr(error, "orig", None) or error
    text = str(cause)
    if "no such table" in text or getattr(cause, "sqlstate", None) == _UNDEFINED_TABLE:
        return "The database has no usage table; run `flask --app wsgi db upgrade`."
    if "locked" in text:
        return "The database is locked by another process."
    return f"The database could not be used ({type(cause).__name__})."
