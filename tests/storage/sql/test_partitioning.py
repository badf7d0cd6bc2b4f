"""Usage rows of PostgreSQL in partitions by months: made of one table, kept in step, and undone."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from llm_api.domain.audit import SCHEMA_UPGRADE, Actor, AuditQuery
from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.retention import RetentionJob
from llm_api.storage.sql import migrate
from llm_api.storage.sql.audit_table import SqlAudit
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.months import LIMIT_CHECK, SCHEMA_LOCK, UsageMonths
from llm_api.storage.sql.partitioning import partition_usage, unite_usage
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.conftest import SettingsOf
from tests.storage.asking import sums_of
from tests.storage.changing import change
from tests.storage.crowd import in_threads
from tests.storage.records import ended, stored_rows
from tests.support.commands import run_command
from tests.support.servers import PostgresServer
from tests.support.service import REPOSITORY_ROOT
from tests.support.tables import each

OPERATOR = Actor("cli:maria", "maria")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
JANUARY = datetime(2027, 1, 10, tzinfo=UTC)
FORMER, MONTHS = "usage_before_2027_01", ["usage_2027_01", "usage_2027_02"]


@pytest.fixture(scope="module")
def migrated(postgres: PostgresServer) -> str:
    """Name a database with the schema, to be copied."""
    url = postgres.new_database()
    migrate.upgrade(url, REPOSITORY_ROOT)
    return url


@pytest.fixture
def database(postgres: PostgresServer, migrated: str) -> str:
    """Name a database with the schema, and usage rows in one table."""
    return postgres.copy_of(migrated)


@pytest.fixture
def store(database: str) -> Iterator[SqlUsageStore]:
    """Open the usage store there."""
    opened = SqlUsageStore(make_engine(database))
    yield opened
    opened.close()


@pytest.fixture
def partitioned(database: str) -> str:
    """Put the rows into partitions."""
    assert partition_usage(database, NOW, OPERATOR)
    return database


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """Lend a connection past the stores."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


def asked(url: str, question: str, **named: str) -> list[object]:
    """Return the first column of what a statement selects."""
    with connected(url) as connection:
        return list(connection.scalars(sa.text(question), named))


def partitions_in(url: str) -> list[str]:
    """Name the partitions, in order."""
    found = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage'::regclass"
    return sorted(map(str, asked(url, found)))


def places_of(url: str) -> dict[str, str]:
    """Return in which partition the row of each request is."""
    with connected(url) as connection:
        found = connection.execute(
            sa.text("SELECT request_id, tableoid::regclass::text FROM usage")
        )
        return {row[0]: row[1] for row in found}


def keep(store: SqlUsageStore, now: datetime, expired: datetime | None = None) -> datetime | None:
    """Do what a worker does every hour."""
    return UsageMonths(store.engine).keep(now, expired)


def at(*times: str) -> list[UsageRecord]:
    """Make calls whose ids are their times."""
    return [
        ended(time, created_at=datetime.fromisoformat(time).replace(tzinfo=UTC)) for time in times
    ]


# --- the conversion ---


def test_the_table_becomes_a_partition_as_it_is(store: SqlUsageStore, database: str) -> None:
    store.add([ended("req_1"), *at("2025-01-01")])
    file_of = "SELECT relfilenode FROM pg_class WHERE relname = :name"
    file = asked(database, file_of, name="usage")
    rows, report = stored_rows(database), sums_of(store, "model", "status")

    assert partition_usage(database, NOW, OPERATOR)

    assert partitions_in(database) == [*MONTHS, FORMER, "usage_default"]
    assert asked(database, file_of, name=FORMER) == file
    assert stored_rows(database) == rows
    assert sums_of(store, "model", "status") == report
    assert store.find("req_1", None, 1)[0] == ended("req_1")


def test_indexes_grants_and_owner_are_those_of_the_table(database: str) -> None:
    change(database, [sa.text(text) for text in (
        "DROP ROLE IF EXISTS reader", "DROP ROLE IF EXISTS serving",
        "CREATE ROLE reader", "CREATE ROLE serving", "GRANT ALL ON SCHEMA public TO serving",
        "ALTER TABLE usage OWNER TO serving",
        "GRANT SELECT ON usage TO reader",
    )])  # fmt: skip

    partition_usage(database, NOW, OPERATOR)

    indexes = asked(database, "SELECT indexname FROM pg_indexes WHERE tablename = 'usage'")
    assert sorted(map(str, indexes)) == ["ix_usage_created_at", "ix_usage_shown_id", "usage_pkey"]
    assert asked(database, "SELECT has_table_privilege('reader', 'usage', 'SELECT')") == [True]
    owners = asked(
        database, "SELECT tableowner FROM pg_tables WHERE tablename LIKE 'usage#_%' ESCAPE '#'"
    )
    assert {*owners} >= {"serving"}
    change(database, [sa.text("DROP OWNED BY reader, serving CASCADE")])


@pytest.mark.usefixtures("partitioned")
def test_it_is_in_the_audit(store: SqlUsageStore) -> None:
    (act,) = SqlAudit(store.engine).page(AuditQuery(at_most=10))

    assert (act.act, act.actor.id, act.at) == (SCHEMA_UPGRADE, "cli:maria", NOW)
    assert (act.before, act.after) == ({"usage": "one table"}, {"usage": "monthly partitions"})


def test_a_second_run_changes_nothing_but_makes_what_is_missing(partitioned: str) -> None:
    assert not partition_usage(partitioned, NOW, OPERATOR)
    assert partitions_in(partitioned) == [*MONTHS, FORMER, "usage_default"]

    assert not partition_usage(partitioned, JANUARY, OPERATOR)
    assert partitions_in(partitioned)[:4] == [*MONTHS, "usage_2027_03", "usage_2027_04"]


def test_rows_that_are_far_ahead_are_told_and_nothing_is_changed(
    store: SqlUsageStore, database: str
) -> None:
    store.add(at("2027-03-01"))

    with pytest.raises(StoreError, match="There are calls after 2027-01-01"):
        partition_usage(database, NOW, OPERATOR)

    store.add(at("2027-04-01"))
    assert partitions_in(database) == []
    assert len(stored_rows(database)) == 2


def test_a_reader_that_stays_is_told_and_the_next_run_does_it(
    store: SqlUsageStore, database: str
) -> None:
    with connected(database) as reader:
        reader.execute(sa.text("SELECT 1 FROM usage"))
        with pytest.raises(StoreError, match="held a table for too long"):
            partition_usage(database, NOW, OPERATOR)
        store.add([ended("req_meanwhile")])

    assert partition_usage(database, NOW, OPERATOR)
    assert places_of(database) == {"req_meanwhile": FORMER}


def test_what_a_killed_run_has_left_is_used_or_removed(store: SqlUsageStore, database: str) -> None:
    limit = f"ALTER TABLE usage ADD CONSTRAINT {LIMIT_CHECK} CHECK (created_at < '2027-01-01')"
    index = "CREATE UNIQUE INDEX usage_before_key ON usage (request_id, created_at)"
    change(database, [sa.text(limit), sa.text(index)])

    assert keep(store, NOW) is None
    store.add(at("2027-02-01T00:00:01"))
    change(database, [sa.text("DELETE FROM usage"), sa.text(limit)])

    assert partition_usage(database, NOW, OPERATOR)


def test_an_index_that_was_cut_off_is_made_again(database: str) -> None:
    index = "CREATE UNIQUE INDEX CONCURRENTLY usage_before_key ON usage (request_id, created_at)"
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'usage_before_key'::regclass"
    with connected(database) as writer, connected(database) as cut:
        writer.execute(sa.text("LOCK TABLE usage IN ROW EXCLUSIVE MODE"))
        cut.execution_options(isolation_level="AUTOCOMMIT")
        cut.execute(sa.text("SET statement_timeout = '200ms'"))
        with pytest.raises(sa.exc.OperationalError):
            cut.execute(sa.text(index))
    assert asked(database, valid) == [False]

    assert partition_usage(database, NOW, OPERATOR)


def test_two_runs_at_once_are_one(database: str) -> None:
    with connected(database) as other:
        other.execute(sa.select(sa.func.pg_advisory_lock(SCHEMA_LOCK + 1)))
        with pytest.raises(StoreError, match="Another process is at it"):
            partition_usage(database, NOW, OPERATOR)


def test_other_databases_stay_as_they_are(settings_of: SettingsOf, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"

    ran = run_command(settings_of({"DATABASE_URL": url}), "db", "partition")

    assert ran.err == "Error: Only PostgreSQL can have usage rows in partitions by months.\n"
    assert ran.status == 1


def test_the_command_says_what_it_has_done(settings_of: SettingsOf, database: str) -> None:
    settings = settings_of({"DATABASE_URL": database})

    said = [run_command(settings, "db", "partition", *more).out for more in ((), (), ("--undo",))]

    assert said == [
        "Usage rows are in partitions by months now.\n",
        "Usage rows are in partitions by months, as they were before.\n",
        "Usage rows are in one table now.\n",
    ]


def test_undone_it_is_the_table_from_before(store: SqlUsageStore, database: str) -> None:
    shape = described(database)
    store.add([ended("req_1")])
    partition_usage(database, NOW, OPERATOR)
    store.add([*at("2027-01-05", "2040-01-01"), ended("req_2")])
    rows = stored_rows(database)

    assert unite_usage(database, NOW, OPERATOR)

    assert stored_rows(database) == rows
    assert described(database) == shape
    assert partition_usage(database, datetime(2040, 1, 2, tzinfo=UTC), OPERATOR)


def test_migrations_change_all_partitions(store: SqlUsageStore, partitioned: str) -> None:
    store.add([*at("2026-11-22", "2027-01-05"), ended("req_1", shown_id="page-7")])
    shape, rows = described(partitioned), stored_rows(partitioned)

    migrate.downgrade(partitioned, REPOSITORY_ROOT, "0012")
    migrate.upgrade(partitioned, REPOSITORY_ROOT)

    assert described(partitioned) == shape
    lost = {"shown_id": None, "group_id": None}
    assert stored_rows(partitioned) == [{**row, **lost} for row in rows]
    store.add(at("2027-01-06"))
    assert places_of(partitioned)["2027-01-06"] == MONTHS[0]


def test_a_backup_of_partitions_is_restored_where_there_are_none(
    postgres: PostgresServer, store: SqlUsageStore, partitioned: str, tmp_path: Path
) -> None:
    store.add(at("2026-11-22", "2027-01-05", "2040-01-01"))
    state = [described(partitioned), stored_rows(partitioned), partitions_in(partitioned)]
    ran(postgres, "pg_dump", "--format=custom", f"--file={tmp_path / 'dump'}", plain(partitioned))
    other = postgres.new_database()
    options = ("--clean", "--if-exists", "--no-owner", "--single-transaction")
    restore = ("pg_restore", *options, f"--dbname={plain(other)}", str(tmp_path / "dump"))

    assert ran(postgres, *restore) == ""
    assert [described(other), stored_rows(other), partitions_in(other)] == state
    # As docs/backup.md says.
    assert "cannot drop inherited constraint" in ran(postgres, *restore)
    assert [described(other), stored_rows(other), partitions_in(other)] == state
    unite_usage(other, JANUARY, OPERATOR)
    assert ran(postgres, *restore) == ""
    assert [described(other), stored_rows(other), partitions_in(other)] == state


def plain(url: str) -> str:
    """Return a URL as PostgreSQL's programs take it."""
    return url.replace("+psycopg", "")


def ran(server: PostgresServer, program: str, *arguments: str) -> str:
    """Run a program of the server's version, and return what it complains of."""
    command = [server.programs / program, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr


def test_migrations_go_back_and_forth_over_partitions(partitioned: str) -> None:
    migrate.downgrade(partitioned, REPOSITORY_ROOT, "base")

    migrate.upgrade(partitioned, REPOSITORY_ROOT)

    assert partition_usage(partitioned, NOW, OPERATOR)


def described(url: str) -> list[object]:
    """Return columns, indexes and constraints of the table, and what runs with its INSERT."""
    with connected(url) as connection:
        found = sa.inspect(connection)
        return [
            *[{**column, "type": str(column["type"])} for column in found.get_columns("usage")],
            found.get_indexes("usage"),
            found.get_pk_constraint("usage"),
            found.get_check_constraints("usage"),
            asked(url, "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'usage%'"),
        ]


# --- rows ---


def test_a_row_of_any_time_has_its_place(store: SqlUsageStore, partitioned: str) -> None:
    places = {
        "2026-11-22": FORMER, "2026-12-31T23:59:59.999999": FORMER,
        "2027-01-01": MONTHS[0], "2027-01-31T23:59:59.999999": MONTHS[0], "2027-02-01": MONTHS[1],
        "2027-06-01": "usage_default", "2199-01-01": "usage_default", "1970-01-01": FORMER,
    }  # fmt: skip

    store.add(at(*places))

    assert places_of(partitioned) == places


FIRST = ended("req_1", created_at=NOW)
LATER = ended("req_1", created_at=NOW + timedelta(microseconds=1))
OTHER_MONTH = ended("req_1", created_at=JANUARY)


@each(
    ("first", "second"),
    [(FIRST, FIRST), (FIRST, LATER), (FIRST, OTHER_MONTH), (OTHER_MONTH, FIRST)],
)
def test_a_request_is_stored_once_whatever_time_its_copy_has(
    store: SqlUsageStore, partitioned: str, first: UsageRecord, second: UsageRecord
) -> None:
    change(partitioned, [sa.text("TRUNCATE usage, usage_hourly, usage_daily")])

    store.add([first])
    store.add([second, ended("req_2")])

    assert [row["created_at"].replace(tzinfo=UTC) for row in stored_rows(partitioned)] == [
        first.created_at,
        ended().created_at,
    ]
    span = {"since": NOW.replace(hour=0), "until": JANUARY + timedelta(days=1)}
    assert sum(sums.calls for sums in sums_of(store, **span)) == 2


def test_earlier_releases_add_no_second_copy_either(partitioned: str) -> None:
    columns = "request_id, created_at, route, model, upstream, status, attempts, usage_source"
    line = f"INSERT INTO usage ({columns}) VALUES ('req_1', '%s', '', '', '', '', 1, '')"  # noqa: S608
    engine = sa.create_engine(partitioned, poolclass=sa.NullPool)
    change(partitioned, [sa.text(line % "2026-11-22")])

    for time in ("2026-11-22", "2026-11-23", "2027-01-10"):
        with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.text(line % time))


# --- the calendar ---


def test_coming_months_are_made_ahead(store: SqlUsageStore, partitioned: str) -> None:
    assert keep(store, NOW) is None
    assert partitions_in(partitioned) == [*MONTHS, FORMER, "usage_default"]

    keep(store, JANUARY)

    made = [*MONTHS, "usage_2027_03", "usage_2027_04"]
    assert partitions_in(partitioned) == [*made, FORMER, "usage_default"]


def test_many_nodes_make_them_at_once_while_rows_come(partitioned: str) -> None:
    def node(number: int) -> None:
        store = SqlUsageStore(make_engine(partitioned))
        UsageMonths(store.engine).keep(JANUARY, None)
        store.add([ended(f"req_{number}", created_at=JANUARY)])
        store.close()

    in_threads(node, [(number,) for number in range(8)])

    assert partitions_in(partitioned)[:4] == [*MONTHS, "usage_2027_03", "usage_2027_04"]
    assert places_of(partitioned) == {f"req_{n}": MONTHS[0] for n in range(8)}


def test_what_waited_for_its_month_moves_there(store: SqlUsageStore, partitioned: str) -> None:
    store.add(at("2027-03-05", "2027-09-05"))

    keep(store, JANUARY)

    assert places_of(partitioned) == {"2027-03-05": "usage_2027_03", "2027-09-05": "usage_default"}
    store.add(at("2027-03-05"))
    assert len(stored_rows(partitioned)) == 2


def test_who_finds_another_at_it_leaves_it_to_that(store: SqlUsageStore, partitioned: str) -> None:
    with connected(partitioned) as other:
        other.execute(sa.select(sa.func.pg_advisory_xact_lock(SCHEMA_LOCK)))
        keep(store, JANUARY)

    assert partitions_in(partitioned) == [*MONTHS, FORMER, "usage_default"]


def test_the_doctor_says_which_months_are_missing(
    settings_of: SettingsOf, store: SqlUsageStore, database: str
) -> None:
    now = datetime.now(UTC)
    settings = settings_of({"DATABASE_URL": database})

    def said() -> str:
        lines = run_command(settings, "doctor").out.splitlines()
        return next(line for line in lines if " usage months " in line)

    assert said().endswith("Usage rows are in one table.")
    partition_usage(database, now - timedelta(days=200), OPERATOR)
    assert f"Usage rows from {now:%Y-%m}-01 on have no partition" in said()
    keep(store, now)
    assert said().endswith("by months, and coming months are there.")


def test_a_long_reader_is_waited_for_shortly(store: SqlUsageStore, partitioned: str) -> None:
    with connected(partitioned) as reader:
        reader.execute(sa.text("SELECT 1 FROM usage"))
        with pytest.raises(StoreError, match=r"Partitions .* stay .* held a table for too long"):
            keep(store, JANUARY)
        store.add(at("2027-03-05"))

    keep(store, JANUARY)
    assert places_of(partitioned) == {"2027-03-05": "usage_2027_03"}


def test_a_month_is_dropped_as_a_whole_when_it_is_over(
    store: SqlUsageStore, partitioned: str
) -> None:
    keep(store, JANUARY)
    store.add(at("2026-11-01", "2027-01-31", "2027-02-01", "2027-03-01"))
    report = sums_of(store, since=NOW - timedelta(days=60), until=NOW + timedelta(days=200))

    keep(store, JANUARY, datetime(2027, 2, 27, tzinfo=UTC))

    assert places_of(partitioned) == {"2027-02-01": MONTHS[1], "2027-03-01": "usage_2027_03"}
    assert not {FORMER, MONTHS[0]} & {*partitions_in(partitioned)}
    assert sums_of(store, since=NOW - timedelta(days=60), until=NOW + timedelta(days=200)) == report


def test_rows_that_are_in_no_month_are_deleted_one_by_one(
    store: SqlUsageStore, partitioned: str
) -> None:
    keep(store, JANUARY)
    before = keep(store, JANUARY, limit := datetime(2027, 2, 27, tzinfo=UTC))
    store.add(at("2026-11-01", "2027-02-01"))  # the first of a machine that was away for long
    assert before == datetime(2027, 2, 1, tzinfo=UTC) < limit

    assert store.prune(before, 10) == 1

    assert places_of(partitioned) == {"2027-02-01": MONTHS[1]}


@pytest.mark.usefixtures("partitioned")
def test_rows_of_before_the_conversion_are_deleted_to_the_day(store: SqlUsageStore) -> None:
    assert keep(store, NOW, NOW - timedelta(days=3)) == NOW - timedelta(days=3)


def test_the_job_of_a_worker_does_all_of_it(
    store: SqlUsageStore, database: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    partition_usage(database, now - timedelta(days=200), OPERATOR)
    times = [now - timedelta(days=days) for days in (0, 45, 100, 400)]
    UsageMonths(store.engine).keep(now - timedelta(days=120), None)
    store.add([ended(str(n), created_at=time) for n, time in enumerate(times)])
    months = UsageMonths(store.engine)
    job = RetentionJob(tmp_path, store, StoreThreads(1), 30, months=months)

    job.prune()

    assert {"0"} <= {*places_of(database)} <= {"0", "1"}
    assert f"usage_{now:%Y_%m}" in partitions_in(database)
    job.close()
