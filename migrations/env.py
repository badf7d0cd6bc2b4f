"""Runs migrations for Alembic; `llm_api.storage.sql.migrate` starts it.

An upgrade is one transaction, and one process at a time runs it. With Alembic's defaults three of
four processes that start together fail, and on SQLite a migration that fails half-way leaves tables
behind that make the next run fail. MySQL and MariaDB commit every change of the schema: see
`llm_api.storage.sql.mysql_migrations`.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.runtime.migration import MigrationContext

from llm_api.domain.audit import SCHEMA_UPGRADE, Actor, AdminAct
from llm_api.storage.sql import mysql_migrations
from llm_api.storage.sql.audit_table import add_act
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.months import SCHEMA_LOCK
from llm_api.storage.sql.tables import metadata

# Processes that start at the same time wait for the one that migrates.
_BUSY_TIMEOUT_S = 30
# How long a migration waits for a table that a transaction of the service has locked.
_LOCK_TIMEOUT_S = 5


def _run() -> None:
    engine = make_engine(
        context.config.attributes["url"],
        busy_timeout=_BUSY_TIMEOUT_S,
        statement_timeout=0,  # migrations may take hours
    )
    try:
        # On SQLite the transaction begins with BEGIN IMMEDIATE (see make_engine), which is the
        # lock.
        with engine.begin() as connection:
            _wait_for_turn(connection)
            context.configure(
                connection=connection,
                target_metadata=metadata,
                transactional_ddl=True,
                on_version_apply=_commit_step,
            )
            before = context.get_context().get_current_revision()
            context.run_migrations()
            _record(connection, before, context.get_context().get_current_revision())
    finally:
        engine.dispose()


def _record(connection: sa.Connection, before: str | None, after: str | None) -> None:
    """Store who has upgraded the schema, in the transaction of the upgrade."""
    by: Actor | None = context.config.attributes.get("by")
    if by is None or before == after:
        return
    was = None if before is None else {"revision": before}
    now = {"revision": after}
    add_act(connection, AdminAct(datetime.now(UTC), by, SCHEMA_UPGRADE, "schema", None, was, now))


def _wait_for_turn(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(SCHEMA_LOCK)))
        # A waiting ALTER TABLE blocks all later statements: better to fail, and be run again.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_S}s'")
    elif connection.dialect.name == "mysql":
        mysql_migrations.wait_for_turn(connection)


def _commit_step(*, ctx: MigrationContext, **_: Any) -> None:
    if ctx.connection is not None and ctx.connection.dialect.name == "mysql":
        mysql_migrations.release_writers(ctx.connection)


_run()
