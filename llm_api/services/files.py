"""Files of callers: kept, handed out to their key alone, and deleted without a trace."""

import io
import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import BinaryIO, TypeVar

from llm_api.domain.access import ApiKey
from llm_api.domain.files import StoredFile
from llm_api.errors import NotFound, Unavailable
from llm_api.storage import FileIndex, FileStore, StoreError
from llm_api.storage.threads import StoreThreads

NO_SUCH_FILE = NotFound("There is no file with this id.", reason="file_not_found")
FILES_AWAY = Unavailable(
    "The store of files cannot be used at the moment.", reason="store_unavailable", retry_after=5
)
PICTURES_AWAY = Unavailable(
    "Pictures cannot be read at the moment; try again.",
    reason="pictures_unavailable",
    retry_after=5,
)
_ID = re.compile(r"file_[0-9a-f]{32}")
_T = TypeVar("_T")
_PIECE_BYTES = 1 << 20


class FileService:
    """Keeps files. Every method raises Unavailable when a store fails."""

    def __init__(
        self,
        index: FileIndex,
        store: FileStore,
        keep: timedelta,
        *,
        row_threads: StoreThreads,
        byte_threads: StoreThreads,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Keep the bytes of files in `store`, and what is known of them in `index`.

        Args:
            index: where their properties are.
            store: where their bytes are.
            keep: how long each is kept.
            row_threads: where calls to the index run.
            byte_threads: where calls to the store run.
            now: clock; returns the time in UTC.
        """
        self._index, self._store, self._keep, self._now = index, store, keep, now
        self._rows, self._bytes = row_threads, byte_threads

    def save(  # noqa: PLR0913  # the properties of a file
        self,
        task_id: str,
        key_id: str | None,
        data: bytes | BinaryIO,
        media_type: str,
        *,
        width: int | None = None,
        height: int | None = None,
        is_input: bool = False,
    ) -> StoredFile:
        """Store a file of a task under a new, unguessable id; when it returns, it is durable.

        `data` may be an open file, which is read from its start, a piece at a time.

        Its row is written first: whatever happens to the bytes, they are found by it and deleted,
        with the task or at the end of their time.
        """
        file_id, size, now = f"file_{secrets.token_hex(16)}", _size_of(data), self._now()
        ends_at = now + self._keep
        file = StoredFile(
            id=file_id,
            task_id=task_id,
            key_id=key_id,
            media_type=media_type,
            size_bytes=size,
            created_at=now,
            expires_at=ends_at,
            width=width,
            height=height,
            is_input=is_input,
        )
        self._row(lambda: self._index.add(file))
        self._write(file, data)
        return file

    def _write(self, file: StoredFile, data: bytes | BinaryIO) -> None:
        """Store the bytes of a file, or delete its row."""
        writing = _Writing(self._store, file.id, data)
        try:
            self._byte(writing.run)
        except Unavailable:
            writing.is_given_up = True
            with suppress(Unavailable):  # then it stays until the end of its time
                self._delete(file)
            raise

    def get(self, file_id: str) -> StoredFile | None:
        """Return a file by its id, whoever it belongs to."""
        return self._row(partial(self._index.get, file_id)) if _ID.fullmatch(file_id) else None

    def find(self, file_id: str, key: ApiKey | None) -> StoredFile:
        """Return a file that a caller may read.

        Without a key, where none is required, the id is enough. What callers have sent is not read
        by its address.

        Raises:
            NotFound: there is none, or it is another key's: nobody learns which.
        """
        file = self.get(file_id)
        if file is None or file.is_input or file.expires_at <= self._now():
            raise NotFound(NO_SUCH_FILE.message, reason="file_not_found")
        if key is not None and file.key_id != key.id:
            raise NotFound(NO_SUCH_FILE.message, reason="file_not_found")
        return file

    def open(self, file_id: str, key: ApiKey | None) -> tuple[StoredFile, Iterator[bytes]]:
        """Return a file and its bytes; see `find` and `pieces`."""
        file = self.find(file_id, key)
        return file, self.pieces(file)

    def pieces(self, file: StoredFile, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` to before `end`, at most 1 MiB at a time.

        None of them is read before it is asked for; the first raises Unavailable where the file is
        gone.
        """
        stop = file.size_bytes if end is None else end
        read = self._store.read(file.id, start, stop)
        left = stop - start
        while left > 0:
            piece = self._byte(lambda: next(read, b""))
            if not piece:
                raise Unavailable(FILES_AWAY.message, reason="store_unavailable", retry_after=5)
            left -= len(piece)
            yield piece

    def check(self) -> None:
        """Store something and delete it; raises Unavailable where that fails."""
        self._byte(self._store.check)

    def remaining(self, file: StoredFile) -> timedelta:
        """Return for how long a file is still kept."""
        return file.expires_at - self._now()

    def read_all(self, file: StoredFile) -> bytes:
        """Return all bytes of a file."""
        return self._byte(lambda: self._read(file))

    def _read(self, file: StoredFile) -> bytes:
        whole = io.BytesIO()  # which holds them once, and gives them out without a copy
        for piece in self._store.read(file.id, 0, file.size_bytes):
            whole.write(piece)
        if whole.tell() != file.size_bytes:
            raise StoreError("A file is shorter than it was when it was stored.")
        return whole.getvalue()

    def of_task(self, task_id: str) -> list[StoredFile]:
        """Return the files of a task, in the order in which they were saved."""
        return self.of_tasks([task_id]).get(task_id, [])

    def of_tasks(self, task_ids: Sequence[str]) -> Mapping[str, list[StoredFile]]:
        """Return the files of each task that has any, as `of_task` does, in one look."""
        if not task_ids:
            return {}
        found: dict[str, list[StoredFile]] = defaultdict(list)
        for file in self._row(partial(self._index.of_tasks, task_ids)):
            found[file.task_id].append(file)
        return found

    def delete_of_task(self, task_id: str) -> None:
        """Delete all files of a task: nothing of them is left."""
        for file in self.of_task(task_id):
            self._delete(file)

    def delete_expired(self, at_most: int) -> int:
        """Delete files whose time is over, and return how many."""
        expired = self._row(lambda: self._index.expired(self._now(), at_most))
        for file in expired:
            self._delete(file)
        return len(expired)

    def _delete(self, file: StoredFile) -> None:
        """Delete the bytes, and then the row, by which they are found."""
        self._byte(partial(self._store.delete, file.id))
        self._row(partial(self._index.delete, file.id))

    def close(self) -> None:
        """Close the store of bytes."""
        self._store.close()

    def _row(self, function: Callable[[], _T]) -> _T:
        return _translated(self._rows, function)

    def _byte(self, function: Callable[[], _T]) -> _T:
        return _translated(self._bytes, function)


class _Writing:
    """Writes the bytes of a file; they are removed if nobody waits for them any more."""

    def __init__(self, store: FileStore, name: str, data: bytes | BinaryIO) -> None:
        self.is_given_up = False
        self._store, self._name, self._data = store, name, data

    def run(self) -> None:
        if not self.is_given_up:
            self._store.put(self._name, _pieces_of(self._data))
        if self.is_given_up:
            self._store.delete(self._name)


def _size_of(data: bytes | BinaryIO) -> int:
    return len(data) if isinstance(data, bytes) else data.seek(0, io.SEEK_END)


def _pieces_of(data: bytes | BinaryIO) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    data.seek(0)
    while piece := data.read(_PIECE_BYTES):
        yield piece


def _translated(threads: StoreThreads, function: Callable[[], _T]) -> _T:
    try:
        return threads.run(function)
    except StoreError as error:
        raise Unavailable(FILES_AWAY.message, reason="store_unavailable", retry_after=5) from error
