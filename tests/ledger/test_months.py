"""Two nodes write into one PostgreSQL over the end of a month, and both are killed.

Meanwhile the table becomes partitions, and one table again.
"""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from llm_api.domain.audit import Actor
from llm_api.storage.spool.spool import Spool
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.months import UsageMonths, partition_names
from llm_api.storage.sql.partitioning import partition_usage, unite_usage
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.ledger.load import calls_in_sums
from tests.ledger.month_writer import BOUNDARY, FLUSHED, ROWS
from tests.storage.asking import sums_of
from tests.storage.records import stored_rows
from tests.support.servers import PostgresServer
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

OPERATOR = Actor("cli:maria", "maria")
# All calls are of before the first month, or their boundary is one between two months.
NEAR, FAR = BOUNDARY - timedelta(days=20), BOUNDARY - timedelta(days=90)
Convert = Callable[[str], object]
PATIENCE_S = 60.0
KILLED_AFTER = 9  # commits
SPAN = {"since": BOUNDARY - timedelta(days=2), "until": BOUNDARY + timedelta(days=2)}


def started(folder: Path, url: str, name: str, dies_after: int) -> "subprocess.Popen[bytes]":
    """Start a node."""
    program = [sys.executable, "-m", "tests.ledger.month_writer"]
    arguments = [str(folder / name), url, name, str(dies_after)]
    return subprocess.Popen([*program, *arguments], cwd=REPOSITORY_ROOT, stderr=subprocess.DEVNULL)


def partition_before(url: str) -> bool:
    """Make months behind the calls."""
    return partition_usage(url, NEAR, OPERATOR)


def partition_far_before(url: str) -> bool:
    """Make months of the calls."""
    return partition_usage(url, FAR, OPERATOR)


def unite(url: str) -> bool:
    """Make them one table."""
    return unite_usage(url, NEAR, OPERATOR)


def written(url: str, folder: Path, meanwhile: Convert) -> SqlUsageStore:
    """Let both write, do something meanwhile, and take up what they leave."""
    store = SqlUsageStore(make_engine(url))
    nodes = [started(folder, url, "one", KILLED_AFTER), started(folder, url, "two", 0)]
    try:
        wait_until(lambda: len(stored_rows(url)) > 50, PATIENCE_S, "rows come")
        assert meanwhile(url)
        assert [node.wait(PATIENCE_S) for node in nodes] == [-signal.SIGKILL] * 2
    finally:
        for node in nodes:
            node.kill()
            node.wait()
    for name in ("one", "two"):
        Spool(folder / name, store, StoreThreads(1)).adopt_orphans()
    return store


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """Name a database with the schema."""
    url = postgres.new_database()
    migrate.upgrade(url, REPOSITORY_ROOT)
    return url


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [(partition_far_before, stored_rows), (bool, partition_before), (partition_far_before, unite)],
)
def test_each_call_of_two_killed_nodes_has_one_row(
    database: str, tmp_path: Path, before: Convert, meanwhile: Convert
) -> None:
    assert before(database)

    written(database, tmp_path, meanwhile).close()

    rows = stored_rows(database)
    ids = [row["request_id"] for row in rows]
    of_one = [one for one in ids if one.startswith("one_")]
    killed = [row["request_id"] for row in rows if row["status"] == "killed"]
    # The first writes whole batches until it is killed, one more for each that has to wait.
    assert len(of_one) >= KILLED_AFTER * FLUSHED
    assert len(of_one) % FLUSHED == 0
    assert of_one == [f"one_{number:04}" for number in range(len(of_one))]
    assert ids == [*of_one, *(f"two_{number:04}" for number in range(ROWS)), "two_open"]
    assert killed == ["two_open"]
    assert calls_in_sums(database) == [len(ids)] * 2


def test_reports_are_the_same_before_and_after(database: str, tmp_path: Path) -> None:
    store = written(database, tmp_path, stored_rows)

    def told() -> tuple[object, object]:
        return sums_of(store, "day", "key", **SPAN), stored_rows(database)

    before = told()
    assert len(before[0]) == 4  # two days of two keys
    assert partition_before(database)
    assert told() == before
    assert unite(database)
    assert told() == before
    store.close()


def test_retention_drops_whole_months(database: str, tmp_path: Path) -> None:
    assert partition_far_before(database)
    store = written(database, tmp_path, stored_rows)
    report = sums_of(store, "day", "key", **SPAN)

    UsageMonths(store.engine).keep(BOUNDARY, BOUNDARY)

    assert {row["created_at"].year for row in stored_rows(database)} == {2027}
    UsageMonths(store.engine).keep(BOUNDARY, BOUNDARY + timedelta(days=31))
    assert stored_rows(database) == []
    with store.engine.connect() as connection:
        assert partition_names(connection)[0] == "usage_2027_02"
    assert sums_of(store, "day", "key", **SPAN) == report
    store.close()
