"""Puts the usage rows of PostgreSQL into partitions by months, and back into one table.

The table as it is becomes the first partition: no row is copied, and the service, of this release
or of an earlier one, goes on meanwhile. What takes long (an index, and a look at every row) is done
before, without a lock that anybody waits for; the change itself is one transaction of milliseconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.audit import SCHEMA_UPGRADE, Actor, AdminAct
from llm_api.storage import StoreError
from llm_api.storage.sql.audit_table import add_act
from llm_api.storage.sql.compatibility import check_revision
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.errors import what_failed
from llm_api.storage.sql.months import (
    CONVERSION_LOCK,
    DEFAULT,
    LIMIT_CHECK,
    LOCK_TIMEOUT,
    SCHEMA_LOCK,
    add_month,
    drop_limit_check,
    former_name,
    missing_months,
    month_after,
    month_of,
    partition_names,
)

# The check that rows are of before the first month refuses rows behind it until the change is done.
# So far ahead that is no danger: not even where the command is killed, see `UsageMonths.keep`.
_AHEAD = timedelta(days=31)
_KEY = "request_id, created_at"  # a key of a partitioned table has the time that decides
_KEY_INDEX = "usage_before_key"
_LIKE = "LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS"
_STATE = {True: {"usage": "monthly partitions"}, False: {"usage": "one table"}}

# That key alone would take a row of a known request with another time. No call makes one, but the
# ledger does not rely on it. Written for every release: what is raised is what the primary key of
# one table raises. With hash joins or scans every INSERT would read all rows.
_REFUSE_KNOWN = """
CREATE OR REPLACE FUNCTION usage_refuse_known() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF EXISTS (SELECT FROM added JOIN usage ON usage.request_id = added.request_id
             WHERE usage.created_at <> added.created_at) THEN
    RAISE unique_violation USING MESSAGE = 'A request is stored already, with another time.';
  END IF;
  RETURN NULL;
END $$
"""
_REFUSES_KNOWN = """
CREATE TRIGGER usage_refuses_known AFTER INSERT ON usage REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_known()
"""
_HAS_INDEX = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
_PRIMARY_KEY = sa.text(
    "SELECT quote_ident(conname) FROM pg_constraint"
    " WHERE conrelid = 'usage'::regclass AND contype = 'p'"
)
_INDEXES = sa.text(
    "SELECT quote_ident(relname), replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')"
    " FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = 'usage'::regclass AND NOT indisprimary AND relname <> :key ORDER BY relname"
).bindparams(key=_KEY_INDEX)
# Grantee 0 is PUBLIC.
_GRANTS = sa.text(
    "SELECT format('GRANT %s ON usage TO %s%s', privilege_type,"
    " CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,"
    " CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
    " FROM pg_class, aclexplode(relacl) WHERE oid = 'usage'::regclass"
)
# What is made must be the owner's, who makes partitions later; a superuser may be at work.
_AS_OWNER = sa.text(
    "SELECT set_config('role', pg_get_userbyid(relowner)::text, true) FROM pg_class"
    " WHERE oid = 'usage'::regclass"
)


def partition_usage(url: str, now: datetime, by: Actor) -> bool:
    """Put usage rows into partitions by months, or make the partitions that are missing now.

    Args:
        url: see DATABASE_URL in `llm_api.settings.definitions`.
        now: timezone-aware.
        by: who does it, for the audit.

    Returns:
        Whether it was one table before.

    Raises:
        StoreError: the database failed, or cannot do it; rows are kept as before, and what was done
            of it is used when it is run again.
    """
    with _alone(url) as connection:
        names = partition_names(connection)
        if names:
            for month in missing_months(names, now):
                with _changing(connection):
                    add_month(connection, month)
            return False
        first = month_after(month_of(now + _AHEAD))
        _index_key(connection)
        with _limited(connection, first), _changing(connection):
            _make_partitions(connection, first)
            for month in missing_months([former_name(first)], now):
                add_month(connection, month)
            _record(connection, now, by, is_partitioned=True)
        # Autovacuum has no statistics of a partitioned table, only of partitions.
        connection.exec_driver_sql("ANALYZE usage")
    return True


def unite_usage(url: str, now: datetime, by: Actor) -> bool:
    """Put usage rows back into one table, which copies them; writers wait meanwhile.

    Returns whether they were partitioned. For arguments and errors see `partition_usage`.
    """
    with _alone(url) as connection:
        if not partition_names(connection):
            return False
        with _changing(connection):
            connection.exec_driver_sql("LOCK TABLE usage IN ACCESS EXCLUSIVE MODE")
            indexes = [definition for _, definition in connection.execute(_INDEXES).all()]
            grants = connection.scalars(_GRANTS).all()
            connection.exec_driver_sql(f"CREATE TABLE usage_whole ({_LIKE.format('usage')})")
            for statement in (
                "INSERT INTO usage_whole SELECT * FROM usage",
                "DROP TABLE usage",
                "DROP FUNCTION usage_refuse_known()",
                "ALTER TABLE usage_whole RENAME TO usage",
                "ALTER TABLE usage ADD PRIMARY KEY (request_id)",
                *indexes,
                *grants,
            ):
                connection.exec_driver_sql(statement)
            _record(connection, now, by, is_partitioned=False)
        connection.exec_driver_sql("ANALYZE usage")
    return True


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    """Connect to a database on which no other process does this; every statement is committed."""
    engine = make_engine(url, statement_timeout=0)  # it may take hours
    try:
        if engine.dialect.name != "postgresql":
            raise StoreError("Only PostgreSQL can have usage rows in partitions by months.")
        with _autocommit(engine) as connection:
            check_revision(connection)
            lock = sa.func.pg_try_advisory_lock(CONVERSION_LOCK)
            if not connection.scalar(sa.select(lock)):
                raise StoreError("Another process is at it already.")
            yield connection
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(what_failed(error)) from error
    finally:
        engine.dispose()  # which gives the lock back


def _autocommit(engine: Engine) -> Connection:
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def _changing(connection: Connection) -> Iterator[None]:
    """Run a block in one transaction, as the owner of the table, while nobody else migrates."""
    connection.exec_driver_sql("BEGIN")
    try:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(SCHEMA_LOCK)))
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        connection.execute(_AS_OWNER)
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _index_key(connection: Connection) -> None:
    """Make the index of the key that a partition needs; nobody waits for it."""
    if connection.scalar(_HAS_INDEX, {"name": _KEY_INDEX}) is not True:
        # One that was cut off is there, and invalid.
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {_KEY_INDEX}")
        connection.exec_driver_sql(
            f"CREATE UNIQUE INDEX CONCURRENTLY {_KEY_INDEX} ON usage ({_KEY})"
        )


@contextmanager
def _limited(connection: Connection, first: date) -> Iterator[None]:
    """Let the table have rows of before a month alone, which is known of all, while a block runs.

    A table is read as a whole when it becomes a partition, unless a check says what is in it. To
    validate that reads it, too, but locks nobody out.
    """
    check = f"ADD CONSTRAINT {LIMIT_CHECK} CHECK (created_at < '{first}') NOT VALID"
    with _changing(connection):
        drop_limit_check(connection)
        connection.exec_driver_sql(f"ALTER TABLE usage {check}")
    try:
        connection.exec_driver_sql(f"ALTER TABLE usage VALIDATE CONSTRAINT {LIMIT_CHECK}")
        yield
    except BaseException as error:
        with _changing(connection):
            drop_limit_check(connection)
        if isinstance(error, sa.exc.IntegrityError):
            why = f"There are calls after {first}: correct or delete these rows, and run it again."
            raise StoreError(why) from error
        raise


def _make_partitions(connection: Connection, first: date) -> None:
    """Put an empty partitioned table in the place of the table, which becomes a partition of it."""
    former = former_name(first)
    connection.exec_driver_sql("LOCK TABLE usage IN ACCESS EXCLUSIVE MODE")
    indexes = connection.execute(_INDEXES).all()
    grants = connection.scalars(_GRANTS).all()
    key = connection.scalar(_PRIMARY_KEY)
    renamed = [f"ALTER INDEX {name} RENAME TO {former}_{n}" for n, (name, _) in enumerate(indexes)]
    new_key = f"ADD CONSTRAINT {former}_pkey PRIMARY KEY USING INDEX {_KEY_INDEX}"
    for statement in (
        f"ALTER TABLE usage DROP CONSTRAINT {key}, {new_key}",
        *renamed,
        f"ALTER TABLE usage RENAME TO {former}",
        f"CREATE TABLE usage ({_LIKE.format(former)}) PARTITION BY RANGE (created_at)",
        f"ALTER TABLE usage ADD PRIMARY KEY ({_KEY})",
        *(definition for _, definition in indexes),
        f"ALTER TABLE usage ATTACH PARTITION {former} FOR VALUES FROM (MINVALUE) TO ('{first}')",
        f"ALTER TABLE {former} DROP CONSTRAINT {LIMIT_CHECK}",  # its bounds are one now
        f"CREATE TABLE {DEFAULT} PARTITION OF usage DEFAULT",
        _REFUSE_KNOWN,
        _REFUSES_KNOWN,
        *grants,
    ):
        connection.exec_driver_sql(statement)


def _record(connection: Connection, now: datetime, by: Actor, *, is_partitioned: bool) -> None:
    before, after = _STATE[not is_partitioned], _STATE[is_partitioned]
    connection.exec_driver_sql("RESET ROLE")  # the owner of one table need not be that of the other
    add_act(connection, AdminAct(now, by, SCHEMA_UPGRADE, "schema", None, before, after))
