"""The files of the configuration: those on disk, or those that a service holds.

A service that runs for weeks starts workers at any time, also while somebody edits `config/`: they
would differ from the others, and a mistake in a file would end the service. So gunicorn's master
holds the files as they were at the start or the last good reload, and its workers inherit that.
Commands hold nothing, and read what is there.
"""

from collections.abc import Mapping
from pathlib import Path

MOST_BYTES = 1 << 20  # of a file; the largest that is shipped has 30 kB


class FileTooLargeError(OSError):
    """A file has more bytes than any that belongs to the configuration."""


class _Holder:
    """What is held; module-level, because nobody can pass `wsgi.py` an argument."""

    def __init__(self) -> None:
        self.files: Mapping[Path, bytes] | None = None


_HOLDER = _Holder()


def hold(files: Mapping[Path, bytes]) -> None:
    """Read only these from now on: bytes by absolute path; what is not among them is missing."""
    _HOLDER.files = files


def hold_none() -> None:
    """Read from disk again."""
    _HOLDER.files = None


def held() -> Mapping[Path, bytes] | None:
    """Return what is held; None: nothing, files are read from disk."""
    return _HOLDER.files


def read(path: Path, *, may_wait: bool = False) -> bytes:
    """Return the bytes of a file; raises OSError where it is missing or cannot be read.

    For `may_wait` see `from_disk`.
    """
    if _HOLDER.files is None:
        return from_disk(path, may_wait=may_wait)
    try:
        return _HOLDER.files[path]
    except KeyError:
        raise FileNotFoundError(path.name) from None


def is_there(path: Path) -> bool:
    """Whether there is such a file."""
    return path.is_file() if _HOLDER.files is None else path in _HOLDER.files


def names(folder: Path, pattern: str) -> list[Path]:
    """Return the paths of the files in a folder whose names fit, such as `*.toml`, sorted."""
    if _HOLDER.files is None:
        return sorted(folder.glob(pattern))
    return sorted(path for path in _HOLDER.files if path.parent == folder and path.match(pattern))


def from_disk(path: Path, *, may_wait: bool = False) -> bytes:
    """Return the bytes of a regular file; raises OSError for any other, and for a large one.

    With `may_wait` it may also be a pipe, as password managers make of `.env`: the call waits for
    who writes into it.
    """
    if not (path.is_file() or (may_wait and path.is_fifo())):
        raise FileNotFoundError(path.name)
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise FileTooLargeError(path.name)
    return content
