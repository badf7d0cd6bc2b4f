"""Files of callers: to each key its own, and after their time nothing is left."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.files import FilesPlan, StoredFile
from llm_api.domain.tasks import Task, TaskState
from llm_api.errors import NotFound, Unavailable
from llm_api.services.file_retention import BATCH, FileRetention
from llm_api.services.files import FileService, _Writing
from llm_api.storage import FileIndex, FileStore, StoreError, TaskStore
from llm_api.storage.factory import WorkStores, open_file_store, open_work_stores
from llm_api.storage.threads import StoreThreads

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
ALICE, BOB = (ApiKey(id=f"key_{name}", name=name) for name in ("alice", "bob"))


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@dataclass
class Failing:
    """A store of bytes that fails as often as it is told to."""

    store: FileStore
    failures: dict[str, int] = field(default_factory=dict)

    def _fail(self, act: str) -> None:
        if self.failures.get(act, 0) > 0:
            self.failures[act] -= 1
            raise StoreError("It failed.")

    def put(self, name: str, pieces: Iterable[bytes]) -> int:
        """See FileStore."""
        self._fail("put")
        return self.store.put(name, pieces)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See FileStore."""
        self._fail("read")
        return self.store.read(name, start, end)

    def delete(self, name: str) -> None:
        """See FileStore."""
        self._fail("delete")
        self.store.delete(name)

    def check(self) -> None:
        """See FileStore."""

    def close(self) -> None:
        """See FileStore."""


@dataclass(frozen=True)
class Room:
    """A service of files, and what it stands on."""

    files: FileService
    tasks: TaskStore
    index: FileIndex
    store: Failing
    folder: Path
    clock: Clock

    def save(self, data: bytes = b"cat", **properties: object) -> StoredFile:
        """Save a picture of Alice's."""
        usual = {"task_id": "img_1", "key_id": "key_alice", "media_type": "image/png"}
        return self.files.save(data=data, **{**usual, **properties})  # type: ignore[arg-type]

    def retention(self) -> FileRetention:
        """Build what deletes."""
        return FileRetention(self.tasks, self.files, StoreThreads(1), now=self.clock)

    @property
    def names(self) -> list[str]:
        """The names of all bytes."""
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def room(sqlite_database: str, tmp_path: Path) -> Iterator[Room]:
    """Build a service on a SQLite file and a folder."""
    work: WorkStores = open_work_stores(sqlite_database)
    store = Failing(open_file_store(FilesPlan(f"file://{tmp_path / 'files'}", 7)))
    clock = Clock()
    threads = {"row_threads": StoreThreads(2), "byte_threads": StoreThreads(2)}
    files = FileService(work.files, store, WEEK, **threads, now=clock)
    yield Room(files, work.tasks, work.files, store, tmp_path / "files", clock)
    work.close()


def task(number: int = 1, **properties: object) -> Task:
    """Make a task that has ended and expires in a week."""
    usual: dict[str, object] = {
        "created_at": NOW,
        "due_at": NOW,
        "deadline_at": NOW,
        "expires_at": NOW + WEEK,
        "state": TaskState.SUCCEEDED,
    }
    return Task(f"img_{number}", "image", **{**usual, **properties})  # type: ignore[arg-type]


# --- keeping ---


def test_a_saved_file_is_read_by_its_key(room: Room) -> None:
    file = room.save(b"a cat", width=640, height=480)

    found, pieces = room.files.open(file.id, ALICE)

    assert found == file
    assert b"".join(pieces) == b"a cat"
    assert room.files.read_all(file) == b"a cat"
    assert (file.size_bytes, file.width, file.height) == (5, 640, 480)
    assert (file.created_at, file.expires_at) == (NOW, NOW + WEEK)


def test_ids_cannot_be_guessed(room: Room) -> None:
    ids = {room.save().id for _ in range(20)}

    assert len(ids) == 20
    assert all(len(file_id) == len("file_") + 32 for file_id in ids)


def test_a_part_of_a_file_is_read(room: Room) -> None:
    file = room.save(bytes(range(256)) * 8_192)

    assert b"".join(room.files.pieces(file, 1_000_000, 1_000_003)) == b"\x40\x41\x42"
    assert b"".join(room.files.pieces(file, 2_097_150)) == b"\xfe\xff"
    assert list(room.files.pieces(file, 7, 7)) == []
    assert max(map(len, room.files.pieces(file))) <= 1 << 20


def test_files_of_a_task_are_listed_with_inputs(room: Room) -> None:
    saved = [room.save(is_input=True), room.save(), room.save()]
    room.save(task_id="img_2")

    assert room.files.of_task("img_1") == saved


# --- whose it is ---


def refusals(room: Room, file_id: str, key: ApiKey | None) -> tuple[str, str, int]:
    """Return what a caller learns who may not read a file."""
    with pytest.raises(NotFound) as caught:
        room.files.open(file_id, key)
    return caught.value.message, caught.value.reason, caught.value.status


def test_a_foreign_file_is_refused_like_one_that_is_not_there(room: Room) -> None:
    file = room.save()
    anonymous = room.save(key_id=None)
    unknown = refusals(room, "file_" + "0" * 32, BOB)

    assert unknown == ("There is no file with this id.", "file_not_found", 404)
    assert refusals(room, file.id, BOB) == unknown
    assert refusals(room, anonymous.id, BOB) == unknown
    assert refusals(room, file.id, replace(BOB, is_admin=True)) == unknown
    for odd in ("", "file_1", file.id.upper(), file.id + "\n", "file_\0" + "0" * 31, "x" * 9_999):
        assert refusals(room, odd, ALICE) == unknown


def test_what_a_caller_sent_is_not_read_by_its_address(room: Room) -> None:
    file = room.save(is_input=True)

    assert refusals(room, file.id, ALICE)[2] == 404
    assert refusals(room, file.id, None)[2] == 404
    assert room.files.get(file.id) == file
    assert room.files.read_all(file) == b"cat"


def test_where_no_key_is_required_the_id_is_enough(room: Room) -> None:
    file = room.save(key_id=None)

    assert room.files.find(file.id, None) == file


def test_an_expired_file_is_gone_before_it_is_deleted(room: Room) -> None:
    file = room.save()
    room.clock.now = NOW + WEEK - timedelta(microseconds=1)
    assert room.files.find(file.id, ALICE) == file

    room.clock.now = NOW + WEEK

    assert refusals(room, file.id, ALICE)[2] == 404


# --- the end ---


def test_of_a_deleted_task_nothing_is_left(room: Room) -> None:
    file = room.save(is_input=True)
    room.save()
    other = room.save(task_id="img_2")

    room.files.delete_of_task("img_1")
    room.files.delete_of_task("img_1")

    assert room.files.of_task("img_1") == []
    assert room.files.get(file.id) is None
    assert room.names == [other.id]


def test_retention_deletes_tasks_with_their_files(room: Room) -> None:
    room.tasks.add(task(1))
    room.tasks.add(task(2, state=TaskState.RUNNING))
    room.tasks.add(task(3, expires_at=NOW + WEEK + WEEK))
    for number in (1, 2, 3):
        room.save(task_id=f"img_{number}")
    assert room.retention().delete_expired() == (0, 0)

    room.clock.now = NOW + WEEK
    deleted = room.retention().delete_expired()

    assert deleted == (1, 2)
    assert room.names == []
    kept = [room.tasks.get(f"img_{number}") is not None for number in (1, 2, 3)]
    assert kept == [False, True, True]


def test_retention_goes_on_until_nothing_is_left(room: Room) -> None:
    for number in range(BATCH + 3):
        room.index.add(replace(STORED, id=f"file_{number}"))

    room.clock.now = NOW + WEEK

    assert room.retention().delete_expired() == (0, BATCH + 3)
    assert room.retention().delete_expired() == (0, 0)


STORED = StoredFile("file_1", "img_1", None, "image/png", 3, NOW, NOW + WEEK)

# --- what fails ---


def test_of_a_file_that_was_not_kept_nothing_is_left(room: Room) -> None:
    room.store.failures["put"] = 1

    with pytest.raises(Unavailable) as caught:
        room.save()

    assert caught.value.reason == "store_unavailable"
    assert caught.value.retryable
    assert room.files.of_task("img_1") == []


def test_while_the_store_is_away_a_row_stays_by_which_bytes_are_found(room: Room) -> None:
    room.store.failures.update(put=1, delete=1)

    with pytest.raises(Unavailable):
        room.save()

    assert len(room.files.of_task("img_1")) == 1
    room.files.delete_of_task("img_1")
    assert room.files.of_task("img_1") == []


class Impatient(StoreThreads):
    """Threads whose calls are given up at once, and begin only afterwards."""

    def __init__(self) -> None:
        """Have begun nothing."""
        super().__init__(1)
        self.late: list[Callable[[], object]] = []

    def run(self, function: Callable[[], object], timeout: float | None = None) -> NoReturn:
        """Keep the call for later, and give it up."""
        del timeout
        self.late.append(function)
        raise StoreError("It does not answer.")


def test_bytes_that_nobody_waits_for_any_more_are_not_kept(room: Room) -> None:
    threads = Impatient()
    slow = FileService(
        room.index, room.store, WEEK, row_threads=StoreThreads(1), byte_threads=threads
    )
    with pytest.raises(Unavailable):
        slow.save("img_1", None, b"cat", "image/png")

    room.folder.mkdir()
    for late in threads.late:
        late()

    assert room.names == []


def test_bytes_that_come_too_late_are_removed(room: Room) -> None:
    given_up: list[_Writing] = []

    class Slow(Failing):
        def put(self, name: str, pieces: Iterable[bytes]) -> int:
            size = super().put(name, pieces)
            given_up[0].is_given_up = True
            return size

    given_up.append(_Writing(Slow(room.store), "file_1", b"cat"))
    given_up[0].run()

    assert room.names == []


def test_a_row_stays_until_its_bytes_are_gone(room: Room) -> None:
    file = room.save()
    room.store.failures["delete"] = 1

    with pytest.raises(Unavailable):
        room.files.delete_of_task("img_1")
    assert room.files.of_task("img_1") == [file]
    assert room.names == [file.id]

    room.files.delete_of_task("img_1")
    assert room.names == []


@pytest.mark.parametrize(
    "read",
    [lambda files, file: files.read_all(file), lambda files, file: list(files.pieces(file))],
    ids=["whole", "pieces"],
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"ca")])
def test_a_file_whose_bytes_are_missing_is_no_empty_file(
    room: Room,
    damage: Callable[[Path], object],
    read: Callable[[FileService, StoredFile], object],
) -> None:
    file = room.save()
    damage(room.folder / file.id)

    with pytest.raises(Unavailable):
        read(room.files, file)


def test_why_files_stay_is_said_without_statements(
    room: Room, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = room.retention()

    def delete_all() -> None:
        raise StoreError("It failed.") from OSError("SELECT tasks.id FROM tasks")

    monkeypatch.setattr(retention, "delete_all", delete_all)
    retention._delete_or_warn()

    assert [vars(record)["cause"] for record in caplog.records] == ["It failed."]


def test_a_store_that_fails_stops_retention_until_the_next_run(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.save()
    room.clock.now = NOW + WEEK
    room.store.failures["delete"] = 1
    retention = room.retention()

    retention._delete_or_warn()
    retention._delete_or_warn()

    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "old files stay for now"
    ]
    assert room.names == []
