"""Where every change of the schema is committed by itself, an upgrade goes on where it broke."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from runpy import run_path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from llm_api.domain.usage import UsageQuery, UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import metadata
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.sql.writing import insert_rows
from tests.storage.records import ended, stored_rows
from tests.support.mariadb import MariaDbServer
from tests.support.service import REPOSITORY_ROOT

DAY = UsageQuery(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
CHANGES_UP, CHANGES_DOWN = 112, 98  # from 0002 to the last revision, and from there to nothing
CHANGES = ("CREATE", "ALTER", "DROP", "LOCK", "DELETE", "INSERT", "UPDATE", "UNLOCK", "COMMIT")
OLD_ROWS = """INSERT INTO `usage` (request_id, created_at, route, model, upstream, status, attempts,
usage_source, prompt_tokens) VALUES ('req_{n}', '2026-11-22 12:00:00.5', 'r', 'm', 'u', 'ok', 1,
'upstream', 5)"""


class CutError(Exception):
    """The upgrade was cut off."""


@contextmanager
def cut_before(change: int, *, word: str = "") -> Iterator[list[str]]:
    """Cut every connection off before its n-th change, or the first that begins with a word."""
    seen: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(CHANGES):
            seen.append(statement)
            if len(seen) == change or (word and statement.startswith(word)):
                raise CutError

    event.listen(sa.Engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(sa.Engine, "before_cursor_execute", look)


def to(url: str, revision: str) -> None:
    """Upgrade to a revision, and not to the last one."""
    migrate.upgrade(url, REPOSITORY_ROOT)
    migrate.downgrade(url, REPOSITORY_ROOT, revision)


def run(url: str, *statements: str) -> None:
    """Run statements and commit."""
    with make_engine(url).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def add_as_0003(url: str, *records: UsageRecord) -> None:
    """Keep records as a service of the revision 0003 does."""
    rows = [
        {name: value for name, value in asdict(record).items() if value not in (None, [])}
        | {"created_at": record.created_at.replace(tzinfo=None)}
        for record in records
    ]
    with make_engine(url).begin() as connection:
        usage = sa.Table("usage", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(usage), rows)
        then = run_path(str(REPOSITORY_ROOT / "migrations" / "versions" / "0003_reports.py"))
        naive = [asdict(r) | {"created_at": r.created_at.replace(tzinfo=None)} for r in records]
        for name, start in (("usage_hourly", then["_HOUR"]), ("usage_daily", then["_DAY"])):
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            insert_rows(connection, table, then["_summed"](naive, start), sums=then["_SUMS"])


def drift_of(url: str) -> list[object]:
    """List where the database differs from the tables."""
    with make_engine(url).connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), metadata)


def calls_of(url: str) -> int:
    """Count the calls in the sums."""
    return sum(sums.calls for sums in SqlUsageStore(make_engine(url)).report(DAY))


def cut_at(sample: Sequence[int], every: Sequence[int]) -> pytest.MarkDecorator:
    """Cut at a sample of the changes, and with the marker `more` at every one."""
    return pytest.mark.parametrize(
        "cuts",
        [
            pytest.param(sample, id="sample"),
            pytest.param(every, id="every", marks=[pytest.mark.more, pytest.mark.timeout(600)]),
        ],
    )


def test_the_cuts_reach_from_the_first_change_to_the_last(mariadb: MariaDbServer) -> None:
    url = mariadb.new_database()
    to(url, "0002")
    run(url, OLD_ROWS.format(n=1))

    with cut_before(0) as up:
        migrate.upgrade(url, REPOSITORY_ROOT)
    with cut_before(0) as down:
        migrate.downgrade(url, REPOSITORY_ROOT, "base")

    assert (len(up), len(down)) == (CHANGES_UP, CHANGES_DOWN)


@cut_at([1, 13, 18, 24, 35, 42, 44, 46, 54, 58, 78, 86, 89], range(1, CHANGES_UP + 1))
def test_an_upgrade_that_is_cut_off_anywhere_is_finished_by_the_next(
    cuts: Sequence[int], mariadb: MariaDbServer
) -> None:
    url = mariadb.new_database()
    to(url, "0002")
    run(url, *(OLD_ROWS.format(n=n) for n in range(3)))
    for cut in cuts:
        with cut_before(cut) as changes, pytest.raises(CutError):
            migrate.upgrade(url, REPOSITORY_ROOT)
        migrate.upgrade(url, REPOSITORY_ROOT)
        assert (drift_of(url), calls_of(url)) == ([], 3), changes[-1]
        migrate.downgrade(url, REPOSITORY_ROOT, "0002")
        # InnoDB only hides columns that are dropped, and after some twenty ways down a row is full.
        run(url, "ALTER TABLE `usage` FORCE")


@cut_at([2, 4], range(1, 9))
def test_a_first_upgrade_that_is_cut_off_anywhere_is_finished_by_the_next(
    cuts: Sequence[int], mariadb: MariaDbServer
) -> None:
    for cut in cuts:
        url = mariadb.new_database()
        with cut_before(cut), pytest.raises(CutError):
            migrate.upgrade(url, REPOSITORY_ROOT)

        migrate.upgrade(url, REPOSITORY_ROOT)

        assert drift_of(url) == []


@cut_at([2, 7], range(1, 12))
def test_a_renaming_that_is_cut_off_anywhere_is_finished_by_the_next(
    cuts: Sequence[int], mariadb_database: str
) -> None:
    SqlUsageStore(make_engine(mariadb_database)).add([ended(requested_model="m", overhead_ms=1)])
    for cut in cuts:
        with cut_before(cut), pytest.raises(CutError):
            migrate.downgrade(mariadb_database, REPOSITORY_ROOT, "0005")
        migrate.downgrade(mariadb_database, REPOSITORY_ROOT, "0005")
        with cut_before(cut), pytest.raises(CutError):
            migrate.upgrade(mariadb_database, REPOSITORY_ROOT)
        migrate.upgrade(mariadb_database, REPOSITORY_ROOT)
        assert drift_of(mariadb_database) == []

    (row,) = stored_rows(mariadb_database)
    assert (row["requested_model"], row["overhead_ms"]) == ("m", 1)


@cut_at([1, 2, 3, 5, 8, 18, 24], range(1, CHANGES_DOWN + 1))
def test_a_way_down_that_is_cut_off_anywhere_is_finished_by_the_next(
    cuts: Sequence[int], mariadb_database: str
) -> None:
    for cut in cuts:
        with cut_before(cut), pytest.raises(CutError):
            migrate.downgrade(mariadb_database, REPOSITORY_ROOT, "base")

        migrate.downgrade(mariadb_database, REPOSITORY_ROOT, "base")
        migrate.upgrade(mariadb_database, REPOSITORY_ROOT)

        assert drift_of(mariadb_database) == []


def test_rows_of_a_service_that_runs_already_are_counted_once(mariadb: MariaDbServer) -> None:
    url = mariadb.new_database()
    to(url, "0002")
    run(url, OLD_ROWS.format(n=1))
    with cut_before(0, word="LOCK"), pytest.raises(CutError):
        migrate.upgrade(url, REPOSITORY_ROOT)
    add_as_0003(url, ended("req_2"), ended("req_3"))

    migrate.upgrade(url, REPOSITORY_ROOT)

    assert calls_of(url) == 3


def test_a_table_that_is_somebody_else_s_is_not_taken(mariadb: MariaDbServer) -> None:
    url = mariadb.new_database()
    run(url, "CREATE TABLE `usage` (mine INTEGER)")

    with pytest.raises(StoreError):
        migrate.upgrade(url, REPOSITORY_ROOT)

    columns = sa.inspect(make_engine(url)).get_columns("usage")
    assert [column["name"] for column in columns] == ["mine"]
