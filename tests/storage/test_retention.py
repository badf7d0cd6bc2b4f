"""Records that are older than is wanted are removed, a few at a time; their sums stay."""

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llm_api.domain.usage import UsageQuery, UsageSums
from llm_api.storage import StoreError, retention
from llm_api.storage.retention import BATCH, INTERVAL_S, RetentionJob
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.storage.records import ended, stored_rows
from tests.support.waiting import wait_until

DAYS = 30
LIMIT = timedelta(days=DAYS)
PATIENCE = 20.0


class CountingStore:
    """A store of so many old records, which can be away, and tells what it was asked."""

    def __init__(self, records: int) -> None:
        """Begin with so many."""
        self.records = records
        self.is_away = False
        self.refusals = 0
        self.asked: list[tuple[datetime, int]] = []

    def prune(self, before: datetime, at_most: int) -> int:
        """See UsageStore."""
        if self.is_away:
            self.refusals += 1
            raise StoreError("The database is away.")
        self.asked.append((before, at_most))
        removed = min(self.records, at_most)
        self.records -= removed
        return removed


Upkeeper = Callable[..., RetentionJob]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name the folder of the spool, which is not there yet."""
    return tmp_path / "instance" / "spool"


@pytest.fixture
def upkeep_of(folder: Path) -> Iterator[Upkeeper]:
    """Make upkeeps, which are closed after the test."""
    made: list[RetentionJob] = []

    def make(store: object, keep_days: int = DAYS, interval: float = INTERVAL_S) -> RetentionJob:
        made.append(RetentionJob(folder, store, StoreThreads(1), keep_days, interval=interval))  # type: ignore[arg-type]  # its prune is all that is used
        return made[-1]

    yield make
    for job in made:
        job.close()
    assert not running()


def running() -> list[threading.Thread]:
    """List the threads of retention jobs."""
    return [thread for thread in threading.enumerate() if thread.name == "usage-retention"]


def said(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the warnings of the upkeep; threads of earlier tests can still write theirs."""
    return [
        record
        for record in caplog.records
        if record.name == retention.__name__ and record.levelno >= logging.WARNING
    ]


def whole_report(store: SqlUsageStore) -> list[UsageSums]:
    """Sum up all there ever was."""
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return store.report(UsageQuery(until - timedelta(days=700), until, ("day", "model")))


def ids_in(database: str) -> list[str]:
    """Read which records there are."""
    return [row["request_id"] for row in stored_rows(database)]


def test_old_records_are_removed_and_young_ones_stay(
    store: SqlUsageStore, database: str, upkeep_of: Upkeeper
) -> None:
    now = datetime.now(UTC)
    ages = {"new": 0, "young": DAYS - 1, "old": DAYS + 1, "ancient": 600}
    store.add([ended(name, created_at=now - timedelta(days=age)) for name, age in ages.items()])

    removed = upkeep_of(store).prune()

    assert removed == 2
    assert ids_in(database) == ["new", "young"]


def test_sums_outlive_their_records(store: SqlUsageStore, upkeep_of: Upkeeper) -> None:
    now = datetime.now(UTC)
    store.add([ended(str(n), created_at=now - timedelta(days=20 * n)) for n in range(30)])
    before = whole_report(store)

    assert upkeep_of(store).prune() == 28

    assert whole_report(store) == before
    assert sum(group.calls for group in before) == 30


def test_a_record_on_the_boundary_stays(store: SqlUsageStore, database: str) -> None:
    limit = datetime(2026, 11, 2, 12, 0, 0, tzinfo=UTC)
    step = timedelta(microseconds=1)
    moments = {"before": limit - step, "on": limit, "after": limit + step}
    store.add([ended(name, created_at=moment) for name, moment in moments.items()])

    assert store.prune(limit, 10) == 1

    assert ids_in(database) == ["after", "on"]


def test_the_oldest_go_first_and_no_more_than_asked_for(
    store: SqlUsageStore, database: str
) -> None:
    day = datetime(2026, 11, 2, tzinfo=UTC)
    store.add([ended(f"req_{n}", created_at=day + timedelta(hours=n)) for n in (3, 1, 0, 2)])
    after = day + timedelta(days=1)

    assert store.prune(after, 3) == 3
    assert ids_in(database) == ["req_3"]
    assert [store.prune(after, 3), store.prune(after, 3)] == [1, 0]


def test_a_record_that_was_removed_can_come_again_without_an_error(store: SqlUsageStore) -> None:
    store.add([ended("req_1")])
    store.prune(datetime.now(UTC) + timedelta(days=1), 10)

    store.add([ended("req_1"), ended("req_2")])

    assert store.prune(datetime.now(UTC) + timedelta(days=1), 10) == 2


def test_records_go_in_batches(upkeep_of: Upkeeper) -> None:
    store = CountingStore(2 * BATCH + 7)

    assert upkeep_of(store).prune() == 2 * BATCH + 7

    assert BATCH <= 500
    assert [at_most for _, at_most in store.asked] == [BATCH] * 4  # the last finds nothing
    assert len({before for before, _ in store.asked}) == 1


def test_the_limit_is_so_many_days_before_now(upkeep_of: Upkeeper) -> None:
    store = CountingStore(0)
    earliest = datetime.now(UTC) - LIMIT

    upkeep_of(store).prune()

    [(before, _)] = store.asked
    assert earliest <= before <= datetime.now(UTC) - LIMIT


def test_a_thread_does_it_at_the_start(upkeep_of: Upkeeper) -> None:
    store = CountingStore(BATCH + 1)

    upkeep_of(store).start()

    wait_until(lambda: not store.records, PATIENCE, "the old records are removed")


def test_nothing_is_removed_where_records_are_kept_for_ever(upkeep_of: Upkeeper) -> None:
    store = CountingStore(1)
    names = {thread.name for thread in threading.enumerate()}

    upkeep_of(store, 0).start()

    assert {thread.name for thread in threading.enumerate()} <= names
    assert store.asked == []


def test_one_process_does_it_at_a_time(upkeep_of: Upkeeper, folder: Path) -> None:
    store = CountingStore(1)
    folder.mkdir(parents=True)
    with (folder / "upkeep.lock").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert upkeep_of(store).prune() == 0
        assert store.asked == []

    assert upkeep_of(store).prune() == 1


def test_a_store_that_is_away_is_warned_of_and_asked_again(
    upkeep_of: Upkeeper, caplog: pytest.LogCaptureFixture
) -> None:
    store = CountingStore(1)
    store.is_away = True
    upkeep_of(store, interval=0.05).start()
    wait_until(lambda: store.refusals > 1, PATIENCE, "it is tried again")

    store.is_away = False

    wait_until(lambda: not store.records, PATIENCE, "the old record is removed")
    warnings = said(caplog)
    assert {record.getMessage() for record in warnings} == {"old usage rows stay for now"}
    assert {vars(record)["cause"] for record in warnings} == {"The database is away."}
    assert not [record for record in warnings if record.exc_info]


def test_a_store_that_goes_away_between_two_batches_loses_nothing(upkeep_of: Upkeeper) -> None:
    class Leaving(CountingStore):
        def prune(self, before: datetime, at_most: int) -> int:
            self.is_away = len(self.asked) == 1
            return super().prune(before, at_most)

    store = Leaving(2 * BATCH)

    with pytest.raises(StoreError):
        upkeep_of(store).prune()

    assert store.records == BATCH
    store.asked.clear()
    with pytest.raises(StoreError):  # the lock has been let go: it got as far as before
        upkeep_of(store).prune()
    assert store.records == 0


def test_a_locked_database_stays_as_it_is(sqlite_database: str, upkeep_of: Upkeeper) -> None:
    store = SqlUsageStore(make_engine(sqlite_database))
    store.add([ended("old", created_at=datetime.now(UTC) - 2 * LIMIT)])
    keeper = upkeep_of(store)
    with closing(sqlite3.connect(sqlite_database.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            keeper.prune()

    assert keeper.prune() == 1
    store.close()


def test_a_folder_that_cannot_be_made_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = CountingStore(1)
    (tmp_path / "file").touch()
    keeper = RetentionJob(tmp_path / "file" / "spool", store, StoreThreads(1), DAYS, interval=0.05)  # type: ignore[arg-type]  # its prune is all
    keeper.start()
    wait_until(lambda: said(caplog), PATIENCE, "it is warned of")

    (tmp_path / "file").unlink()

    wait_until(lambda: not store.records, PATIENCE, "the old record is removed")
    keeper.close()


def test_an_error_nobody_thought_of_does_not_end_it(upkeep_of: Upkeeper) -> None:
    class Odd(CountingStore):
        def prune(self, before: datetime, at_most: int) -> int:
            if not self.refusals:
                self.refusals += 1
                raise ValueError("nobody thought of it")
            return super().prune(before, at_most)

    store = Odd(1)

    upkeep_of(store, interval=0.05).start()

    wait_until(lambda: not store.records, PATIENCE, "the old record is removed")


def test_closing_stops_it_between_two_batches(upkeep_of: Upkeeper) -> None:
    class Closing(CountingStore):
        def prune(self, before: datetime, at_most: int) -> int:
            keeper.close()
            return super().prune(before, at_most)

    store = Closing(10 * BATCH)
    keeper = upkeep_of(store)

    keeper.start()

    wait_until(lambda: not running(), PATIENCE, "its thread ends")
    assert store.records == 9 * BATCH
