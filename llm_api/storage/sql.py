"""The usage store in a SQL database: SQLite or PostgreSQL, chosen by the URL alone."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from llm_api.domain import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.tables import usage

# How long a write waits for another process's lock on a SQLite file. Rows that do not get it stay
# in the spool, so that a short wait costs nothing.
_BUSY_TIMEOUT_S = 0.5
_READS = {"llm_api_reads": True}
_CONNECT_TIMEOUT_S = 3
_STATEMENT_TIMEOUT_S = 5.0
_UNDEFINED_TABLE = "42P01"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


def make_engine(
    url: str,
    *,
    busy_timeout: float = _BUSY_TIMEOUT_S,
    statement_timeout: float = _STATEMENT_TIMEOUT_S,
) -> Engine:
    """Make an engine; for SQLite the folder of the file is made too.

    `busy_timeout` bounds the wait for a lock on a SQLite file, `statement_timeout` every statement
    on PostgreSQL; 0 lets it run without end. Both in seconds.

    Raises StoreError for a URL that cannot be used.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed, busy_timeout)
        return sa.create_engine(
            parsed,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT_S,
                # A server that is frozen or gone must not hold the one thread that writes.
                "tcp_user_timeout": round(_STATEMENT_TIMEOUT_S * 1000),
                "options": f"-c statement_timeout={round(statement_timeout * 1000)}",
            },
        )
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError, ValueError) as error:
        raise StoreError("DATABASE_URL names a database that cannot be used.") from error


def _sqlite_engine(url: sa.URL, busy_timeout: float) -> Engine:
    if url.database and url.database != ":memory:":
        with contextlib.suppress(OSError):  # then connecting fails, and readiness says so
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": busy_timeout})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, and deferred ones; see _begin_immediate.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Readers must not block the one writer: with the default journal every batch waits for them.
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: a committed row survives a power cut. Batches make the fsync cheap.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once, whatever the busy time-out,
    # when another process wrote in between: 51 % of them with six processes, none of these.
    reads = connection.get_execution_options().get("llm_api_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


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
            with self._engine.connect().execution_options(**_READS) as connection:
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
