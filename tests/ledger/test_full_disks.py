"""G5 and G6: a disk is full, that of the database or that of the spool as well."""

import contextlib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy import event

from llm_api.storage import StoreError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.conftest import AppOf
from tests.ledger.conftest import Prepare
from tests.ledger.load import all_are_kept, call, calls_in_sums
from tests.storage.records import ended, stored_rows
from tests.support.schema import give_schema
from tests.support.service import Service
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, good_body

SmallDisk = Callable[[Path], Path]
CALLS = 20
UNSAVED = "usage row not saved"


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """Make a folder a disk of its own, with little room; only root can."""
    mounted: list[Path] = []

    def mount(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
        with contextlib.suppress(OSError):
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                mounted.append(folder)
        if folder not in mounted:
            pytest.skip("no disk can be mounted here")
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607  # as found


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no byte free for the block; what is there stays."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096) == 4096:
            pass
    try:
        yield
    finally:
        filler.unlink()


def is_sound(url: str) -> bool:
    """Let SQLite look through its file."""
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_g5_rows_wait_while_the_disk_of_the_database_is_full(
    prepare: Prepare, small_disk: SmallDisk, tmp_path: Path
) -> None:
    disk = small_disk(tmp_path / "disk")
    service = prepare({"DATABASE_URL": f"sqlite:///{disk / 'usage.db'}"})
    ids = [call(service)]
    all_are_kept(service, ids)

    with filled(disk):
        ids += [call(service) for _ in range(200)]
        wait_until(lambda: "usage rows wait" in service.log(), 60, service.log)
        ids += [call(service) for _ in range(CALLS)]
        assert is_sound(service.env["DATABASE_URL"])

    all_are_kept(service, ids)
    assert is_sound(service.env["DATABASE_URL"])
    assert UNSAVED not in service.log()
    assert "Traceback" not in service.log()


def test_g6_rows_go_to_the_log_while_no_disk_has_room(
    prepare: Prepare, small_disk: SmallDisk, tmp_path: Path
) -> None:
    service = prepare({}, starts=False)
    disk = small_disk(tmp_path / "project" / "instance")
    service.env["DATABASE_URL"] = f"sqlite:///{disk / 'usage.db'}"
    with service:
        before = [call(service)]
        all_are_kept(service, before)

        with filled(disk):
            during = [call(service) for _ in range(CALLS * 10)]
            wait_until(lambda: unsaved(service), 60, service.log)
            lost = unsaved(service)

        after = [call(service)]
        wait_until(lambda: after[0] in kept(service), 60, service.log)
        wait_until(lambda: set(during) <= kept(service) | set(unsaved(service)), 60, service.log)

    assert {line["level"] for line in service.log_records() if line["message"] == UNSAVED} == {
        "ERROR"
    }
    assert set(lost) <= set(during)
    assert service.usage_count() == len(kept(service)) <= len(before + during + after)
    assert is_sound(service.env["DATABASE_URL"])


@pytest.fixture
def unsaving(app_of: AppOf, upstream_env: dict[str, str], tmp_path: Path) -> FlaskClient:
    """Call an application that can make no spool: there is a file in place of its folder."""
    instance = tmp_path / "root" / "instance"
    instance.mkdir()
    (instance / "spool").touch()
    return app_of(upstream_env).test_client()


def test_g6_a_service_that_can_save_no_row_serves_and_is_not_ready(
    unsaving: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = unsaving.post(CHAT, json=good_body(CHAT))

    assert answer.status_code == 200
    lines = [record for record in caplog.records if record.getMessage() == UNSAVED]
    assert [(line.levelname, vars(line)["state"]) for line in lines] == [
        ("ERROR", "begun"),
        ("ERROR", "ended"),
    ]
    assert unsaving.get("/readyz").status_code == 503


def kept(service: Service) -> set[str]:
    """Read which calls are in the database."""
    return {row["request_id"] for row in service.usage_rows()}


def unsaved(service: Service) -> list[str]:
    """Read which calls the log tells to be lost."""
    lines = [line for line in service.log_records() if line["message"] == UNSAVED]
    return [line["row"]["request_id"] for line in lines if line["state"] == "ended"]


def test_g5_a_store_goes_on_after_its_file_could_not_grow(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'usage.db'}"
    give_schema(url)
    engine = make_engine(url)
    pages = [0]

    @event.listens_for(engine, "connect")
    def keep_small(connection: sqlite3.Connection, _record: object) -> None:
        # SQLite fails as with a full disk, and rolls the transaction back by itself.
        connection.execute(f"PRAGMA max_page_count={pages[0] or 2**30}")

    store = SqlUsageStore(engine)
    with engine.connect() as connection:
        pages[0] = int(connection.scalar(sa.text("PRAGMA page_count")) or 0)
    engine.dispose()

    saved, refused = 0, 0
    for number in range(100):
        try:
            store.add([ended(f"req_{number:03}_{n}", model="m" * 200) for n in range(10)])
            saved += 1
        except StoreError:
            refused += 1
    pages[0] = 0
    engine.dispose()
    store.add([ended("req_last")])

    assert refused > 0
    assert is_sound(url)
    assert len(stored_rows(url)) == 10 * saved + 1
    assert calls_in_sums(url) == [10 * saved + 1] * 2
    store.close()
