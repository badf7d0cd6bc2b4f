"""Migrations bring every database to the schema of `tables`, whole or not at all."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from llm_api.domain.audit import SCHEMA_UPGRADE, AuditQuery
from llm_api.domain.usage import UsageQuery
from llm_api.storage import StoreError
from llm_api.storage.sql import migrate
from llm_api.storage.sql.audit_table import SqlAudit
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import REVISION, metadata
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.checkout import copy_project
from tests.storage.crowd import in_processes
from tests.storage.records import ended, stored_rows
from tests.support.acting import OPERATOR
from tests.support.servers import PostgresServer
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

HALF_A_MIGRATION = f"""
import sqlalchemy as sa
from alembic import op

revision = "half"
down_revision = "{REVISION}"

def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    raise RuntimeError("the second half is broken")

def downgrade():
    op.drop_table("half")
"""
# MySQL and MariaDB commit every change of the schema: see test_mysql_migrations.py.
TRANSACTIONAL = ["sqlite", "postgresql"]
USAGE_TABLES = {"usage", "usage_hourly", "usage_daily", "usage_times"}
BUDGET_TABLES = {"budget_spending", "budget_reservations"}
KEY_TABLES = {"api_keys", "api_key_secrets", "console_sessions"}
WORK_TABLES = {"tasks", "files", "lineage_events", "audit"}
REWRITE_TABLES = {"rewrites", "rewrite_leases", "key_groups"}
SCHEMA_TABLES = {"alembic_version", "schema_compatibility"}
TABLES = SCHEMA_TABLES | WORK_TABLES | REWRITE_TABLES | KEY_TABLES | USAGE_TABLES | BUDGET_TABLES
BROKEN_LINE = '    raise RuntimeError("the second half is broken")\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the project and add a migration that breaks half-way."""
    root = copy_project(tmp_path / "project")
    (root / "migrations" / "versions" / "half.py").write_text(HALF_A_MIGRATION)
    return root


def tables_of(url: str) -> set[str]:
    """List the tables, with a connection of its own."""
    return set(sa.inspect(sa.create_engine(url, poolclass=sa.NullPool)).get_table_names())


def upgrading(url: str, root: Path) -> "subprocess.Popen[str]":
    """Start `flask --app wsgi db upgrade`."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        cwd=root,
        env={"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_schema_is_the_one_of_the_tables(database: str) -> None:
    engine = sa.create_engine(database, poolclass=sa.NullPool)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        drift = compare_metadata(context, metadata)

    assert drift == []


def test_the_migrations_are_one_line_of_descent() -> None:
    config = Config()
    config.set_main_option("script_location", str(REPOSITORY_ROOT / "migrations"))

    scripts = ScriptDirectory.from_config(config)

    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1


def test_four_processes_upgrade_at_once(empty_database: str) -> None:
    in_processes(migrate.upgrade, [(empty_database, REPOSITORY_ROOT)] * 4)

    assert tables_of(empty_database) == TABLES


def test_an_upgrade_of_a_current_database_changes_nothing(database: str) -> None:
    migrate.upgrade(database, REPOSITORY_ROOT)

    assert tables_of(database) == TABLES


def test_an_upgrade_is_an_act_of_who_has_done_it(empty_database: str) -> None:
    for _ in range(2):
        migrate.upgrade(empty_database, REPOSITORY_ROOT, OPERATOR)

    engine = make_engine(empty_database)
    (act,) = SqlAudit(engine).page(AuditQuery())
    engine.dispose()
    assert (act.act, act.actor, act.before) == (SCHEMA_UPGRADE, OPERATOR, None)
    assert act.after == {"revision": REVISION}


def test_the_schema_goes_down_to_nothing_and_up_again(database: str) -> None:
    migrate.downgrade(database, REPOSITORY_ROOT, "base")
    below = tables_of(database)

    migrate.upgrade(database, REPOSITORY_ROOT)

    assert below == {"alembic_version"}
    assert tables_of(database) == TABLES


@pytest.mark.parametrize("empty_database", TRANSACTIONAL, indirect=True)
def test_a_first_upgrade_that_fails_leaves_nothing(project: Path, empty_database: str) -> None:
    with pytest.raises(RuntimeError, match="second half"):
        migrate.upgrade(empty_database, project)

    assert tables_of(empty_database) == set()


@pytest.mark.parametrize("empty_database", TRANSACTIONAL, indirect=True)
def test_a_later_upgrade_that_fails_leaves_the_old_schema(project: Path, database: str) -> None:
    with pytest.raises(RuntimeError, match="second half"):
        migrate.upgrade(database, project)

    assert tables_of(database) == TABLES


def test_an_upgrade_that_fails_leaves_a_service_that_keeps_rows(
    project: Path, database: str
) -> None:
    with pytest.raises(RuntimeError, match="second half"):
        migrate.upgrade(database, project)
    store = SqlUsageStore(make_engine(database))

    store.check()
    store.add([ended()])

    assert len(stored_rows(database)) == 1
    store.close()


def test_a_failed_upgrade_succeeds_once_it_is_mended(project: Path, database: str) -> None:
    with pytest.raises(RuntimeError, match="second half"):
        migrate.upgrade(database, project)
    mended = project / "migrations" / "versions" / "half.py"
    mended.write_text(HALF_A_MIGRATION.replace(BROKEN_LINE, ""))

    migrate.upgrade(database, project)

    assert tables_of(database) == TABLES | {"half"}


def test_an_upgrade_that_is_killed_half_way_succeeds_when_it_is_run_again(
    project: Path, database: str
) -> None:
    half, reached = project / "migrations" / "versions" / "half.py", project / "reached"
    waiting = f"    open({str(reached)!r}, 'w').close()\n    import time; time.sleep(60)\n"
    half.write_text(HALF_A_MIGRATION.replace(BROKEN_LINE, waiting))
    killed = upgrading(database, project)
    wait_until(reached.exists, 30, "the migration is half done")
    killed.kill()
    killed.communicate()

    half.write_text(HALF_A_MIGRATION.replace(BROKEN_LINE, ""))
    migrate.upgrade(database, project)

    assert tables_of(database) == TABLES | {"half"}


def test_rows_and_sums_outlive_the_way_down_and_up_again(database: str) -> None:
    store = SqlUsageStore(make_engine(database))
    store.add([ended(f"req_{n}", model=f"m{n % 3}") for n in range(10)])
    day = UsageQuery(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
    rows, sums = stored_rows(database), store.report(replace(day, group_by=("model", "hour")))

    migrate.downgrade(database, REPOSITORY_ROOT, "0002")
    migrate.upgrade(database, REPOSITORY_ROOT)

    assert stored_rows(database) == rows
    assert store.report(replace(day, group_by=("model", "hour"))) == sums
    store.close()


RENAMED = ("model_asked", "tries", "own_ms")  # in the revision 0005


def test_renamed_columns_keep_their_values_on_the_way_down_and_up_again(database: str) -> None:
    attempts = [{"upstream": "fast", "model": "m", "reason": None, "ms": 3}]
    store = SqlUsageStore(make_engine(database))
    store.add([ended(requested_model="模型", attempts_detail=attempts, overhead_ms=2)])
    store.add([ended("req_2")])
    first, second = stored_rows(database)

    migrate.downgrade(database, REPOSITORY_ROOT, "0005")
    with store.engine.connect() as connection:
        table = sa.Table("usage", sa.MetaData(), autoload_with=connection)
        former = sa.select(*(table.c[name] for name in RENAMED)).order_by(table.c.request_id)
        (asked, tries, own_ms), (none, _, _) = connection.execute(former).all()
    migrate.upgrade(database, REPOSITORY_ROOT)

    tries = json.loads(tries) if isinstance(tries, str) else tries
    assert (asked, tries, own_ms, none) == ("模型", attempts, 2, None)
    assert stored_rows(database) == [first, second]
    store.close()


def test_rows_of_a_worker_that_is_not_yet_upgraded_wait_for_it(database: str) -> None:
    """They stay in the spool: a store that refused them would lose them."""
    store = SqlUsageStore(make_engine(database))
    migrate.downgrade(database, REPOSITORY_ROOT, "0005")
    try:
        store.add([ended()])
    except StoreError as error:
        problem = error
    migrate.upgrade(database, REPOSITORY_ROOT)
    store.add([ended()])

    assert type(problem) is StoreError
    assert len(stored_rows(database)) == 1
    store.close()


def test_a_percent_sign_in_path_and_address_is_taken_as_it_is(tmp_path: Path) -> None:
    root = copy_project(tmp_path / "50%(here)s")
    database = tmp_path / "50%(there)s.db"

    migrate.upgrade(f"sqlite:///{database}", root)

    assert database.exists()


@pytest.mark.parametrize(
    ("server", "lock"),
    [
        ("postgres", "SELECT pg_advisory_xact_lock(7310255902)"),
        ("mariadb", "SELECT get_lock(concat('llm_api:', md5(database())), 0)"),
    ],
)
def test_an_upgrade_waits_for_another_longer_than_a_statement_may_take(
    server: str, lock: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server).new_database()
    other = sa.create_engine(url, poolclass=sa.NullPool)
    connection = other.connect()
    connection.execute(sa.text(lock))
    started = time.monotonic()
    release = threading.Timer(6, connection.close)
    release.start()
    migrate.upgrade(url, REPOSITORY_ROOT)

    release.join()
    assert time.monotonic() - started >= 6
    assert "usage" in sa.inspect(sa.create_engine(url, poolclass=sa.NullPool)).get_table_names()


def test_an_upgrade_gives_way_to_a_long_transaction(postgres: PostgresServer) -> None:
    """I8: one that waited on would stop every call that comes behind it."""
    url = postgres.new_database()
    migrate.upgrade(url, REPOSITORY_ROOT)
    migrate.downgrade(url, REPOSITORY_ROOT, "0002")
    reader = sa.create_engine(url, poolclass=sa.NullPool).connect()
    reader.execute(sa.text("SELECT count(*) FROM usage"))  # and holds the table until it ends

    with pytest.raises(StoreError, match="try again"):
        migrate.upgrade(url, REPOSITORY_ROOT)

    reader.close()
    assert tables_of(url) == {"alembic_version", "usage"}
    migrate.upgrade(url, REPOSITORY_ROOT)
    assert tables_of(url) == TABLES
