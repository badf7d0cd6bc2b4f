"""G9, G10 and G12: rows that come twice, or after a failure, are counted once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import usage_daily
from llm_api.storage.sql.usage import SqlUsageStore
from tests.ledger.children import take_up_orphans
from tests.ledger.load import calls_in_sums
from tests.storage.crowd import in_processes
from tests.storage.records import ended, stored_rows
from tests.support.schema import give_schema
from tests.support.service import REPOSITORY_ROOT


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """Name a SQLite file with the schema."""
    url = f"sqlite:///{tmp_path / 'usage.db'}"
    give_schema(url)
    return url


def run_to_its_death(folder: Path, database: str, count: int, deed: str) -> None:
    """Let a process end so many calls, and be killed."""
    command = [sys.executable, "-m", "tests.ledger.children", str(folder), database, str(count)]
    done = subprocess.run(
        [*command, deed], cwd=REPOSITORY_ROOT, env=dict(os.environ), timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL


def prompt_tokens(database: str) -> int:
    """Read a sum of the days."""
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.sum(usage_daily.c.prompt_tokens))) or 0)


def test_g9_a_row_whose_process_died_after_the_commit_is_counted_once(
    tmp_path: Path, sqlite_database: str
) -> None:
    run_to_its_death(tmp_path / "spool", sqlite_database, 1_500, "dies")
    kept = len(stored_rows(sqlite_database))
    [orphan] = (tmp_path / "spool").iterdir()
    lines = orphan.read_bytes().count(b"\n")

    take_up_orphans(sqlite_database)

    assert 0 < kept < lines == 1_500  # some rows are in both, some in the spool alone
    assert len(stored_rows(sqlite_database)) == 1_500
    assert calls_in_sums(sqlite_database) == [1_500] * 2
    assert prompt_tokens(sqlite_database) == sum(range(1_500))
    assert list((tmp_path / "spool").iterdir()) == []


def test_g10_of_several_replayers_one_takes_each_file(tmp_path: Path, sqlite_database: str) -> None:
    for name in ("a", "b", "c"):
        run_to_its_death(tmp_path / name, sqlite_database, 1_200, "stays")
    (tmp_path / "spool").mkdir()
    for position, name in enumerate(("a", "b", "c")):
        [orphan] = (tmp_path / name).iterdir()
        text = orphan.read_bytes().replace(b"req_", b"req_%d_" % position)
        (tmp_path / "spool" / orphan.name).write_bytes(text)

    in_processes(take_up_orphans, [(sqlite_database,)] * 4)

    assert len(stored_rows(sqlite_database)) == 3_600
    assert calls_in_sums(sqlite_database) == [3_600] * 2
    assert prompt_tokens(sqlite_database) == 3 * sum(range(1_200))
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("table", ["usage", "usage_hourly", "usage_daily"])
def test_g12_a_store_goes_on_after_a_flush_that_failed(
    store: SqlUsageStore, database: str, table: str
) -> None:
    engine = make_engine(database)
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    for _ in range(3):
        with pytest.raises(StoreError):
            store.add([ended("req_1"), ended("req_2")])
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE elsewhere RENAME TO {table}"))
    engine.dispose()
    assert stored_rows(database) == []

    store.add([ended("req_1"), ended("req_2")])
    store.add([ended("req_2"), ended("req_3")])

    assert [row["request_id"] for row in stored_rows(database)] == ["req_1", "req_2", "req_3"]
    assert calls_in_sums(database) == [3, 3]
