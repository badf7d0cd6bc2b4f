"""No usage row is lost on its way into the store, and no call waits or fails for one."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

import orjson
import pytest

from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.spool.spool import Spool
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from llm_api.storage.threads import StoreThreads
from tests.storage.records import ListStore, begun, ended, stored_rows
from tests.storage.spool_process import DISK_ROWS, FILLING_ROWS, fill
from tests.support.processes import Child
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

Starter = Callable[..., Child]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name the folder of the spool."""
    return tmp_path / "spool"


@pytest.fixture
def store() -> ListStore:
    """Make a store that keeps every copy it is given."""
    return ListStore()


@pytest.fixture
def spool(folder: Path, store: ListStore) -> Iterator[Spool]:
    """Open a spool on that store."""
    opened = Spool(folder, store, StoreThreads(1))
    yield opened
    store.is_away = False
    opened.close()


@pytest.fixture
def start(tmp_path: Path, folder: Path) -> Iterator[Starter]:
    """Return a function that starts a process with a spool, and returns when it did its deed."""
    children: list[Child] = []

    def start_process(deed: str, database: str = "away") -> Child:
        program = [sys.executable, "-m", "tests.storage.spool_process"]
        log = tmp_path / "process.log"
        command = [*program, str(folder), database, deed]
        child = Child(command, log=log, env=os.environ, cwd=REPOSITORY_ROOT)
        children.append(child)
        wait_until(lambda: log.read_text().endswith("done\n"), 20, log.read_text)
        return child

    yield start_process
    for child in children:
        child.end(SIGTERM, 5)


def killed(child: Child) -> None:
    """Kill the process, with no chance to clean up."""
    child.send(SIGKILL)
    child.wait(20)


def adopted(folder: Path) -> list[UsageRecord]:
    """Return what another process's spool takes up from the folder."""
    store = ListStore()
    spool = Spool(folder, store, StoreThreads(1))
    spool.adopt_orphans()
    spool.close()
    return store.records


def states_in(folder: Path) -> list[tuple[str, str]]:
    """Read state and request id of every whole line in the spool."""
    lines = [
        line for path in folder.iterdir() for line in path.read_bytes().splitlines(keepends=True)
    ]
    entries = [orjson.loads(line) for line in lines if line.endswith(b"}\n")]
    return [(entry["state"], entry["record"]["request_id"]) for entry in entries]


def test_the_row_of_an_ended_call_reaches_the_store(spool: Spool, store: ListStore) -> None:
    spool.begin(begun())
    spool.end(ended(reason="r", total_ms=7))

    wait_until(lambda: store.records, 20, "the row is in the store")
    assert store.records == [ended(reason="r", total_ms=7)]


def test_a_call_that_runs_is_not_in_the_store(spool: Spool, store: ListStore) -> None:
    spool.begin(begun("req_1"))
    spool.end(ended("req_2"))

    spool.flush()

    assert store.ids == ["req_2"]


def test_rows_wait_while_the_store_is_away(spool: Spool, store: ListStore) -> None:
    store.is_away = True
    for number in range(1_200):
        spool.begin(begun(f"req_{number:04}"))
        spool.end(ended(f"req_{number:04}"))
    wait_until(lambda: store.refusals >= 2, 20, "the spool tries more than once")

    store.is_away = False

    wait_until(lambda: len(store.records) >= 1_200, 10, "the rows are in the store")
    assert store.ids == [f"req_{number:04}" for number in range(1_200)]


def test_rows_that_the_store_kept_with_an_error_are_kept_once(
    folder: Path, sqlite_database: str
) -> None:
    class CutOff(SqlUsageStore):
        def add(self, records: list[UsageRecord]) -> None:
            super().add(records)
            if not adds.append(1) and len(adds) == 1:
                raise StoreError("The connection was cut after the commit.")

    adds: list[int] = []
    spool = Spool(folder, CutOff(make_engine(sqlite_database)), StoreThreads(1))
    spool.end(ended("req_1"))
    with pytest.raises(StoreError):
        spool.flush()

    spool.flush()

    assert [row["request_id"] for row in stored_rows(sqlite_database)] == ["req_1"]
    spool.close()


def test_a_closed_spool_is_empty(spool: Spool, store: ListStore, folder: Path) -> None:
    spool.begin(begun())
    spool.end(ended())

    spool.close()

    assert store.ids == ["req_1"]
    assert list(folder.glob("*")) == []


def test_rows_stay_in_a_spool_that_is_closed_while_the_store_is_away(
    spool: Spool, store: ListStore, folder: Path
) -> None:
    store.is_away = True
    spool.end(ended("req_1"))

    spool.close()

    assert states_in(folder) == [("ended", "req_1")]


def test_a_call_cut_by_sigkill_becomes_a_row_killed(start: Starter, folder: Path) -> None:
    killed(start("begin_one"))

    records = adopted(folder)

    assert [(record.request_id, record.status) for record in records] == [("req_1", "killed")]


def test_a_call_that_ended_before_sigkill_keeps_its_row(start: Starter, folder: Path) -> None:
    killed(start("end_one"))

    records = adopted(folder)

    assert records == [ended("req_1")]


def test_an_adopted_file_is_gone(start: Starter, folder: Path) -> None:
    killed(start("end_one"))

    adopted(folder)

    assert list(folder.glob("*")) == []


def test_a_file_whose_adoption_failed_is_adopted_later(
    start: Starter, folder: Path, spool: Spool, store: ListStore
) -> None:
    killed(start("end_one"))
    store.is_away = True
    with pytest.raises(StoreError):
        spool.adopt_orphans()

    records = adopted(folder)

    assert records == [ended("req_1")]


def test_orphans_are_taken_up_without_waiting_for_a_call(
    start: Starter, spool: Spool, store: ListStore
) -> None:
    killed(start("begin_one"))

    spool.start()

    wait_until(lambda: store.records, 20, "the row of the killed process is in the store")


def test_a_living_process_keeps_its_file(start: Starter, folder: Path) -> None:
    start("end_one")

    records = adopted(folder)

    assert records == []
    assert states_in(folder) == [("begun", "req_1"), ("ended", "req_1")]


@pytest.mark.parametrize("torn", [b'{"state":"ended","rec', b"\0\0\0", b'{"state":"ended"}\n'])
def test_a_torn_last_line_is_left_out(torn: bytes, start: Starter, folder: Path) -> None:
    killed(start("end_one"))
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes() + torn)

    records = adopted(folder)

    assert records == [ended("req_1")]


def test_a_torn_line_in_the_middle_takes_no_other_with_it(start: Starter, folder: Path) -> None:
    killed(start("end_one"))
    (path,) = folder.iterdir()
    path.write_bytes(b'{"state":"ended","rec\n' + path.read_bytes())

    records = adopted(folder)

    assert records == [ended("req_1")]


def test_a_full_file_is_replaced_by_a_small_one(spool: Spool, folder: Path) -> None:
    fill(spool)

    spool.flush()

    wait_until(lambda: len(list(folder.iterdir())) == 1, 20, "the full file is gone")
    (path,) = folder.iterdir()
    assert path.stat().st_size == 0


def test_a_call_that_runs_outlives_the_replacement_of_the_file(
    start: Starter, folder: Path, sqlite_database: str
) -> None:
    child = start("begin_one_and_fill", sqlite_database)
    before = states_in(folder)
    killed(child)

    records = adopted(folder)

    assert before == [("begun", "req_open")]
    assert [(record.request_id, record.status) for record in records] == [("req_open", "killed")]
    assert len(stored_rows(sqlite_database)) == FILLING_ROWS


def test_rows_reach_the_store_when_a_full_file_cannot_be_replaced(
    spool: Spool, store: ListStore, folder: Path
) -> None:
    spool.begin(begun("req_first"))
    spool.end(ended("req_first"))
    wait_until(lambda: store.records, 20, "the thread runs")
    folder.rename(folder.with_name("moved"))
    folder.touch()
    fill(spool)
    wait_until(lambda: len(store.records) == 1 + FILLING_ROWS, 10, "the rows are in the store")

    spool.end(ended("req_last"))

    wait_until(lambda: "req_last" in store.ids, 10, "the row after the full file is in the store")


def test_a_call_goes_on_when_its_row_cannot_be_written(
    tmp_path: Path, store: ListStore, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "spool", store, StoreThreads(1))

    spool.begin(begun())
    spool.end(ended())

    unsaved = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [vars(record)["row"] for record in unsaved] == [begun(), ended()]
    spool.close()


def test_a_full_disk_loses_no_row(start: Starter, folder: Path, tmp_path: Path) -> None:
    start("fill_the_disk")

    log = [orjson.loads(line) for line in (tmp_path / "process.log").read_bytes().splitlines()[:-1]]
    lost = [line["row"] for line in log if line["message"] == "usage row not saved"]
    saved = [request_id for _, request_id in states_in(folder)]
    assert saved
    assert len(lost) + len(saved) == DISK_ROWS


def test_threads_that_write_at_once_lose_nothing(spool: Spool, store: ListStore) -> None:
    def write(position: int) -> None:
        for number in range(200):
            spool.begin(begun(f"req_{position}_{number:03}"))
            spool.end(ended(f"req_{position}_{number:03}"))

    threads = [threading.Thread(target=write, args=(position,)) for position in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    spool.flush()

    assert store.ids == [f"req_{p}_{n:03}" for p in range(8) for n in range(200)]


def test_a_file_that_cannot_be_opened_does_not_hold_up_the_others(
    spool: Spool, store: ListStore, folder: Path
) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "0-foreign.jsonl").mkdir()  # not even root can open a folder for writing

    spool.begin(begun())
    spool.end(ended())

    wait_until(lambda: store.records, 20, "the row is in the store")


def test_the_spool_outlives_an_error_nobody_thought_of(spool: Spool, store: ListStore) -> None:
    failures = [ValueError("nobody thought of it")]
    keep = store.add

    def fail_once(records: Sequence[UsageRecord]) -> None:
        if failures:
            raise failures.pop()
        keep(records)

    store.add = fail_once  # type: ignore[method-assign]  # the store is a test's own

    spool.begin(begun())
    spool.end(ended())

    wait_until(lambda: store.records, 10, "the row is in the store")
