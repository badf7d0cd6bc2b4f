"""Finds calls that are on their way into the usage store: in the files of this machine's spools."""

import os
from collections.abc import Iterator
from pathlib import Path

import orjson

from llm_api.domain.usage import UsageRecord
from llm_api.storage.spool.file import SpoolLine

# Of each file, from its end: in a long outage of the store a file grows by 1 KB a call.
MAX_READ_BYTES = 16 << 20
IN_PROGRESS = "in_progress"


def waiting_calls(folder: Path, request_id: str) -> list[UsageRecord]:
    """Return the calls that have an id as their `request_id` or `shown_id`, in no order.

    One that has begun, and whose end is not known, has the status `in_progress`.
    """
    calls: dict[str, UsageRecord] = {}
    for path in folder.glob("*.jsonl"):
        for line in _lines_with(path, orjson.dumps(request_id)):
            record = line.record()
            if record is None or request_id not in {record.request_id, record.shown_id}:
                continue
            if line.has_ended:
                calls[record.request_id] = record
            elif record.request_id not in calls:
                record.status = IN_PROGRESS
                calls[record.request_id] = record
    return list(calls.values())


def _lines_with(path: Path, text: bytes) -> Iterator[SpoolLine]:
    """Yield the whole lines of a file that have a text in them."""
    written = _end_of(path)
    at = written.find(text)
    while at >= 0:
        start, end = written.rfind(b"\n", 0, at) + 1, written.find(b"\n", at)
        if end < 0:
            return
        yield SpoolLine(written[start : end + 1])
        at = written.find(text, end)


def _end_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_READ_BYTES))
            return file.read(MAX_READ_BYTES)
    except OSError:  # its process has emptied and removed it, or it is another user's
        return b""
