"""What every index of files promises, told through `FileIndex`."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from llm_api.domain.files import StoredFile
from llm_api.storage import FileIndex, StoreError
from tests.storage.contract import assert_fit_to_show


class OpenFiles(FileIndex, Protocol):
    """An index that a test opened, and closes."""

    def close(self) -> None:
        """Close its connections."""


IndexOpener = Callable[[], OpenFiles]

NOW = datetime(2026, 11, 29, 12, 30, 15, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
CAT = StoredFile("file_1", "img_1", "key_1", "image/png", 2**40, NOW, NOW + DAY, 1024, 768)
INPUT = StoredFile("file_2", "img_1", None, "image/webp", 0, NOW, NOW + DAY, is_input=True)
ACTS: dict[str, Callable[[FileIndex], object]] = {
    "add": lambda files: files.add(CAT),
    "get": lambda files: files.get("file_1"),
    "of_tasks": lambda files: files.of_tasks(["img_1"]),
    "expired": lambda files: files.expired(NOW, 10),
    "delete": lambda files: files.delete("file_1"),
}


class FileIndexContract:
    """The tests; the index is empty and ready at the beginning of each."""

    @pytest.fixture
    def files(self, index_opener: IndexOpener) -> Iterator[FileIndex]:
        """Open the index."""
        with closing(index_opener()) as opened:
            yield opened

    @pytest.mark.parametrize("file", [CAT, INPUT], ids=["result", "input"])
    def test_a_file_is_kept_whole(self, files: FileIndex, file: StoredFile) -> None:
        files.add(file)

        assert files.get(file.id) == file

    def test_a_file_that_is_not_there_is_none(self, files: FileIndex) -> None:
        files.add(CAT)

        assert [files.get(name) for name in ("file_2", "FILE_1", "file_1 ", "")] == [None] * 4

    def test_the_same_file_is_not_kept_twice(self, files: FileIndex) -> None:
        files.add(CAT)

        with pytest.raises(StoreError):
            files.add(replace(INPUT, id="file_1"))

        assert files.get("file_1") == CAT

    def test_files_of_a_task_come_in_the_order_of_their_addition(self, files: FileIndex) -> None:
        mixed = [replace(CAT, id=f"file_{name}") for name in "zbyaxc"]
        for file in mixed:
            files.add(file)
            files.add(replace(file, id=f"{file.id}_other", task_id="img_2"))

        assert files.of_tasks(["img_1"]) == mixed
        assert files.of_tasks(["img_3"]) == []

    def test_files_of_several_tasks_come_together(self, files: FileIndex) -> None:
        one, other, third = (replace(CAT, id=f"file_{n}", task_id=f"img_{n}") for n in "123")
        for file in (third, one, other):
            files.add(file)

        assert files.of_tasks(["img_1", "img_3", "img_4"]) == [third, one]
        assert files.of_tasks([]) == []

    def test_files_expire(self, files: FileIndex) -> None:
        for number in range(4):
            expiry = NOW + timedelta(microseconds=1 - number)
            files.add(replace(CAT, id=f"file_{number}", expires_at=expiry))

        assert [file.id for file in files.expired(NOW, 9)] == ["file_3", "file_2", "file_1"]
        assert [file.id for file in files.expired(NOW, 1)] == ["file_3"]

    def test_what_is_deleted_is_gone(self, files: FileIndex) -> None:
        files.add(CAT)
        files.add(INPUT)

        files.delete("file_1")
        files.delete("file_1")

        assert files.get("file_1") is None
        assert files.of_tasks(["img_1"]) == [INPUT]

    @pytest.mark.parametrize("act", ACTS)
    def test_an_index_that_cannot_be_reached_says_so(
        self, act: str, unreachable_index_opener: IndexOpener
    ) -> None:
        with closing(unreachable_index_opener()) as files:
            with pytest.raises(StoreError) as caught:
                ACTS[act](files)

            assert_fit_to_show(caught.value)
