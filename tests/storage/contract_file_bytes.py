"""What every store of files' bytes promises, told through `FileStore`.

A subclass gives the fixtures `files` and `unreachable`, stores that can and cannot be used.
"""

import random
from collections.abc import Callable, Iterator

import pytest

from llm_api.storage import FileStore, StoreError
from tests.storage.contract import assert_fit_to_show
from tests.storage.crowd import in_threads

MIB = 1 << 20
NAME = "file_0a-Z"
NOISE = random.Random(7).randbytes(3 * MIB + 17)  # noqa: S311  # no secret
ACTS: dict[str, Callable[[FileStore], object]] = {
    "put": lambda files: files.put(NAME, [b"cat"]),
    "read": lambda files: whole(files, NAME),
    "delete": lambda files: files.delete(NAME),
    "check": lambda files: files.check(),
}


def whole(files: FileStore, name: str) -> bytes:
    """Read all bytes of a file."""
    return b"".join(files.read(name))


def broken(pieces: list[bytes]) -> Iterator[bytes]:
    """Give pieces, and then break."""
    yield from pieces
    raise ValueError("the source broke")


class FileStoreContract:
    """The tests; the store is empty and ready at the beginning of each."""

    # --- keeping ---

    def test_what_was_put_is_read(self, files: FileStore) -> None:
        assert files.put(NAME, [b"a ", b"", b"cat\0\xff"]) == 7

        assert whole(files, NAME) == b"a cat\0\xff"

    def test_a_file_may_be_empty(self, files: FileStore) -> None:
        assert files.put(NAME, []) == 0

        assert whole(files, NAME) == b""

    @pytest.mark.parametrize("size", [1, MIB, len(NOISE)])
    def test_files_of_every_size_are_read_in_pieces_of_a_mebibyte_at_most(
        self, files: FileStore, size: int
    ) -> None:
        files.put(NAME, [NOISE[:size]])

        pieces = list(files.read(NAME))

        assert b"".join(pieces) == NOISE[:size]
        assert all(0 < len(piece) <= MIB for piece in pieces)

    def test_a_large_file_of_many_pieces_is_kept(self, files: FileStore) -> None:
        piece = NOISE[:MIB]

        assert files.put(NAME, iter([piece] * 35)) == 35 * MIB

        assert list(files.read(NAME, 34 * MIB)) == list(files.read(NAME, 0, MIB))
        assert sum(map(len, files.read(NAME))) == 35 * MIB

    @pytest.mark.parametrize(
        ("start", "end"), [(0, 5), (3, 4), (5, None), (2, 2), (MIB - 1, 2 * MIB + 1)]
    )
    def test_a_part_is_read(self, files: FileStore, start: int, end: int | None) -> None:
        files.put(NAME, [NOISE])

        assert b"".join(files.read(NAME, start, end)) == NOISE[start:end]

    def test_names_are_apart(self, files: FileStore) -> None:
        files.put("file_1", [b"one"])
        files.put("file_11", [b"two"])

        files.delete("file_1")

        assert whole(files, "file_11") == b"two"

    def test_a_put_that_is_repeated_is_one_file(self, files: FileStore) -> None:
        files.put(NAME, [b"cat"])

        assert files.put(NAME, [b"dog"]) == 3

        assert whole(files, NAME) == b"dog"

    @pytest.mark.parametrize("name", ["", "../file_1", "a/b", ".", "a.part", "a b", "ü"])
    @pytest.mark.parametrize("act", ["put", "read", "delete"])
    def test_a_path_is_no_name(self, files: FileStore, act: str, name: str) -> None:
        acts: dict[str, Callable[[], object]] = {
            "put": lambda: files.put(name, [b"cat"]),
            "read": lambda: whole(files, name),
            "delete": lambda: files.delete(name),
        }

        with pytest.raises(StoreError, match="name must be"):
            acts[act]()

    # --- all or none ---

    @pytest.mark.parametrize("pieces", [[], [b"cat"], [NOISE[:MIB]] * 18], ids=len)
    def test_of_a_source_that_breaks_nothing_is_kept(
        self, files: FileStore, pieces: list[bytes]
    ) -> None:
        with pytest.raises(ValueError, match="source broke"):
            files.put(NAME, broken(pieces))

        with pytest.raises(StoreError):
            whole(files, NAME)
        self.assert_no_trace()

    def test_many_files_are_put_at_once(self, files: FileStore) -> None:
        in_threads(
            lambda number: files.put(f"file_{number}", [bytes([number]) * MIB]),
            [(number,) for number in range(8)],
        )

        for number in range(8):
            assert whole(files, f"file_{number}") == bytes([number]) * MIB

    # --- the end ---

    def test_what_is_deleted_is_gone_without_a_trace(self, files: FileStore) -> None:
        files.put(NAME, [b"cat"])

        files.delete(NAME)
        files.delete(NAME)

        with pytest.raises(StoreError):
            whole(files, NAME)
        self.assert_no_trace()

    def test_a_file_that_is_not_there_cannot_be_read(self, files: FileStore) -> None:
        with pytest.raises(StoreError) as caught:
            next(iter(files.read("file_1", 0, 5)))

        assert "not there" in str(caught.value)
        assert_fit_to_show(caught.value)

    def test_a_check_leaves_no_trace(self, files: FileStore) -> None:
        files.check()

        self.assert_no_trace()

    @pytest.mark.parametrize("act", ACTS)
    def test_a_store_that_cannot_be_used_says_so(self, act: str, unreachable: FileStore) -> None:
        with pytest.raises(StoreError) as caught:
            ACTS[act](unreachable)

        assert_fit_to_show(caught.value)

    def assert_no_trace(self) -> None:
        """Assert that nothing at all is stored; of each store its own way."""
        raise NotImplementedError
