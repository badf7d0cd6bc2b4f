"""Runs migrations for Alembic; `llm_api.storage.migrate` starts it.

All of an upgrade is one transaction, and one process at a time runs it: with Alembic's defaults
three of four processes that start together fail, and on SQLite a migration that breaks half-way
leaves tables behind, on which the next run breaks again.
"""

import sqlalchemy as sa
from alembic import context

from llm_api.storage.engine import make_engine
from llm_api.storage.tables import metadata

# Any number that no other program takes for its advisory lock in the same database.
_LOCK_ID = 7_310_255_902
# Others that start at the same time wait for the one that migrates.
_BUSY_TIMEOUT_S = 30


def _run() -> None:
    engine = make_engine(
        context.config.attributes["url"],
        busy_timeout=_BUSY_TIMEOUT_S,
        statement_timeout=0,  # a migration takes as long as it takes
    )
    try:
        # On SQLite the transaction begins with BEGIN IMMEDIATE (see make_engine), which is the
        # lock.
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_ID)))
            context.configure(
                connection=connection, target_metadata=metadata, transactional_ddl=True
            )
            context.run_migrations()
    finally:
        engine.dispose()


_run()
