"""SQLAlchemy engines, made by the database's URL alone."""

import contextlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from llm_api.storage import StoreError
from llm_api.storage.sql.json_text import json_text
from llm_api.storage.sql.mysql import NAMES, make_mysql_engine
from llm_api.storage.sql.pool import ThreadsPool

# How long a write waits for another process's lock on a SQLite file. Rows that do not get it stay
# in the spool, so that a short wait costs nothing.
_BUSY_TIMEOUT_S = 0.5
READS = {"llm_api_reads": True}  # execution options of a transaction that writes nothing
# On SQLite. A deferred transaction that reads and then writes fails at once, whatever the busy
# time-out, when another process wrote in between: 51 % of them with six processes, none of these.
BEGIN_WRITING = "BEGIN IMMEDIATE"
_CONNECT_TIMEOUT_S = 3
_STATEMENT_TIMEOUT_S = 5.0


def make_engine(
    url: str,
    *,
    busy_timeout: float = _BUSY_TIMEOUT_S,
    statement_timeout: float = _STATEMENT_TIMEOUT_S,
) -> Engine:
    """Make an engine; for SQLite the folder of the file is made too.

    Args:
        url: sqlite://, postgresql://, mysql:// or mariadb://, with or without a driver.
        busy_timeout: seconds that a write waits for the lock on a SQLite file.
        statement_timeout: seconds that a statement may take on PostgreSQL or MySQL; 0 is no limit.

    Raises:
        StoreError: the URL cannot be used.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed, busy_timeout)
        if parsed.get_backend_name() in NAMES:
            return make_mysql_engine(
                parsed,
                connect_timeout=_CONNECT_TIMEOUT_S,
                statement_timeout=round(statement_timeout),
            )
        return sa.create_engine(
            parsed,
            poolclass=ThreadsPool,
            pool_pre_ping=True,
            json_serializer=json_text,
            connect_args=_postgresql_arguments(statement_timeout),
        )
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError, ValueError) as error:
        raise StoreError("DATABASE_URL names a database that cannot be used.") from error


def _postgresql_arguments(statement_timeout: float) -> dict[str, Any]:
    return {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        # Of a server in the locale C the driver would get bytes in place of texts.
        "client_encoding": "UTF8",
        # A host that is gone must not block the one thread that writes.
        "tcp_user_timeout": round(_STATEMENT_TIMEOUT_S * 1000),
        "options": f"-c statement_timeout={round(statement_timeout * 1000)}",
    }


def _sqlite_engine(url: sa.URL, busy_timeout: float) -> Engine:
    options: dict[str, Any] = {}
    if url.database and url.database != ":memory:":
        options["poolclass"] = ThreadsPool
    if url.database and not url.database.startswith((":memory:", "file:")):  # a path, no URI
        with contextlib.suppress(OSError):  # then connecting fails, and readiness says so
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # The driver would begin transactions by itself, and deferred ones; see _begin_immediate.
    arguments = {"timeout": busy_timeout, "isolation_level": None}
    engine = sa.create_engine(url, connect_args=arguments, json_serializer=json_text, **options)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Readers must not block the one writer, as they do with the default journal
    # (https://sqlite.org/wal.html).
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: a committed row survives a power cut. Batches make the fsync cheap.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    reads = connection.get_execution_options().get("llm_api_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else BEGIN_WRITING)
