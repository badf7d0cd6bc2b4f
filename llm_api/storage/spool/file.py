"""The file of a spool: JSON lines, locked by the process that writes them."""

import contextlib
import errno
import fcntl
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from llm_api.domain.usage import UsageRecord

logger = logging.getLogger(__name__)

BATCH_LINES = 1_000
_ENDED = b'{"state":"ended"'
_READ_BYTES = 1 << 20
_CHECK = b" " * 4_096
# Fields as they were named before the schema 0006. A worker of an older release may have died, or
# been replaced, before the store had its rows.
_FORMER_NAMES = {
    "model_asked": "requested_model",
    "tries": "attempts_detail",
    "own_ms": "overhead_ms",
}
_FIELDS = frozenset(UsageRecord.__slots__)


class SpoolFile:
    """An append-only file of begun and ended calls.

    The lock on it (flock) falls with the process that has it, however that process ends.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        """Wrap the `descriptor` of an open, locked file at `path`; use `create` or `adopt`."""
        self._descriptor = descriptor
        self.path = path
        self._read_to = 0

    @classmethod
    def create(cls, folder: Path) -> "SpoolFile":
        """Create a file for this process, and lock it; raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        # It gets its name when it is locked: another process would adopt it before.
        unlocked = path.with_suffix(".new")
        descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(path)
        return cls(descriptor, path)

    @classmethod
    def adopt(cls, path: Path) -> "SpoolFile | None":
        """Open and lock the file of a process that is gone; None where it still runs."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:  # else its owner removed it a moment ago
                return cls(descriptor, path)
        except BlockingIOError:
            pass
        os.close(descriptor)
        return None

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    @property
    def has_unread(self) -> bool:
        """Whether lines were appended since the last batch."""
        return self._read_to < self.size

    def append(self, state: str, record: UsageRecord) -> None:
        """Append a line; raises OSError.

        Args:
            state: `begun` or `ended`.
            record: what is known of the call.
        """
        known = _known_at_begin(record) if state == "begun" else record
        self.write(
            orjson.dumps({"state": state, "record": known}, option=orjson.OPT_APPEND_NEWLINE)
        )

    def write(self, line: bytes) -> None:
        """Append a line, its end included; raises OSError."""
        written = os.write(self._descriptor, line)
        if written < len(line):  # the disk is full: half a line must not spoil the next one
            os.ftruncate(self._descriptor, self.size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def check(self) -> None:
        """Write something and take it back; raises OSError. Without its end it is no line yet."""
        before = self.size
        written = os.write(self._descriptor, _CHECK)
        os.ftruncate(self._descriptor, before)
        if written < len(_CHECK):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def batches(self) -> Iterator[list["SpoolLine"]]:
        """Yield the unread lines in batches; a batch counts as read when the next is asked for."""
        while True:
            text = os.pread(self._descriptor, _READ_BYTES, self._read_to)
            lines = text.splitlines(keepends=True)[:BATCH_LINES]
            if lines and not lines[-1].endswith(b"\n"):
                lines.pop()  # its rest is still being written, or its writer died over it
            if not lines:
                return
            yield [SpoolLine(line) for line in lines]
            self._read_to += sum(map(len, lines))

    def remove(self) -> None:
        """Delete the file and close it."""
        with contextlib.suppress(OSError):  # it was moved away
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Close and unlock the file, so that another process can adopt it."""
        os.close(self._descriptor)


def _known_at_begin(record: UsageRecord) -> dict[str, Any]:
    """Leave out what is not known when a call begins; to write all 25 fields takes 1 µs more."""
    return {
        "request_id": record.request_id,
        "created_at": record.created_at,
        "route": record.route,
        "requested_model": record.requested_model,
        "model": record.model,
        "upstream": record.upstream,
        "tags": record.tags,
        "lineage_id": record.lineage_id,
        "key_id": record.key_id,
        "shown_id": record.shown_id,
    }


class SpoolLine:
    """A line of the file; lines of calls that begin are hardly ever parsed."""

    __slots__ = ("_line",)

    def __init__(self, line: bytes) -> None:
        """Wrap the bytes of a line, its end included."""
        self._line = line

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return self._line

    @property
    def has_ended(self) -> bool:
        """Whether it records the end of a call."""
        return self._line.startswith(_ENDED)

    def record(self) -> UsageRecord | None:
        """Return the record; None where a full disk or a power cut has spoiled the line."""
        try:
            fields = orjson.loads(self._line)["record"]
            # Hardly any line is of another release: to look costs 1 µs, to rename 6.
            if not fields.keys() <= _FIELDS:
                fields = _current_fields(fields)
            fields["created_at"] = datetime.fromisoformat(fields["created_at"])
            return UsageRecord(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def _current_fields(written: dict[str, Any]) -> dict[str, Any]:
    """Rename what an older release wrote, and drop what only a newer one knows."""
    renamed = {_FORMER_NAMES.get(name, name): value for name, value in written.items()}
    return {name: value for name, value in renamed.items() if name in _FIELDS}


def ended_records(lines: Iterable[SpoolLine]) -> list[UsageRecord]:
    """Return the records of the calls that have ended."""
    return [record for line in lines if line.has_ended and (record := line.record()) is not None]


def empty_orphans(folder: Path, save_all: Callable[[SpoolFile], None]) -> None:
    """Have the files of processes that are gone saved, and remove them; raises what that raises.

    A file that cannot be opened is left to a process with the rights to do so.
    """
    for path in sorted(folder.glob("*.jsonl")):
        try:
            orphan = SpoolFile.adopt(path)
        except OSError as error:
            logger.warning("spool file not readable", extra={"errno": error.errno})
            continue
        if orphan is None:
            continue
        try:
            save_all(orphan)
        except BaseException:
            orphan.close()
            raise
        orphan.remove()
