"""Files in a folder.

`obstore` has a store for folders, too; it neither syncs what it writes nor keeps it from other
users of the machine, and takes 7 MiB of every worker.
"""

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llm_api.storage import StoreError
from llm_api.storage.files import PIECE_BYTES, check_name

_SENTENCES = {
    errno.ENOENT: "The file is not there.",
    errno.ENOSPC: "The disk of FILES_URL is full.",
    errno.EDQUOT: "The disk quota of FILES_URL is used up.",
    errno.EACCES: "The service's user may not use the folder of FILES_URL.",
    errno.EPERM: "The service's user may not use the folder of FILES_URL.",
    errno.EROFS: "The folder of FILES_URL can be read, and not written.",
}


class FolderFiles:
    """Keeps each file under its name, readable by the service's user alone."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is made when something is put there."""
        self._folder = folder

    def put(self, name: str, pieces: Iterable[bytes]) -> int:
        """See FileStore."""
        path, part = self._path(name), self._part(name)
        with _translated():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                size = _write(part, pieces)
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            self._sync()
        return size

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See FileStore."""
        path = self._path(name)
        with _translated(), path.open("rb", buffering=0) as file:
            left = (os.fstat(file.fileno()).st_size if end is None else end) - start
            file.seek(start)
            while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                yield piece

    def delete(self, name: str) -> None:
        """See FileStore."""
        path, part = self._path(name), self._part(name)
        with _translated(), suppress(FileNotFoundError):
            part.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            self._sync()

    def check(self) -> None:
        """See FileStore."""
        name = f"check-{secrets.token_hex(8)}"
        self.put(name, [b"\0" * 4096])
        self.delete(name)

    def close(self) -> None:
        """See FileStore."""

    def _path(self, name: str) -> Path:
        return self._folder / check_name(name)

    def _part(self, name: str) -> Path:
        """Return where bytes are until they are whole: what a crash leaves is deleted by name."""
        return self._folder / f"{check_name(name)}.part"

    def _sync(self) -> None:
        """Make names durable: those that were added, and those that are gone."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write(path: Path, pieces: Iterable[bytes]) -> int:
    """Write a new file and make its bytes durable; returns how many they are."""
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123  # Path.open knows no mode
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
            size += len(piece)
        os.fsync(descriptor)
    return size


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        sentence = _SENTENCES.get(error.errno or 0, "The folder of FILES_URL cannot be used.")
        raise StoreError(sentence) from error
