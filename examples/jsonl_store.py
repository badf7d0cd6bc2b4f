"""A usage store without a database: one file with a line of JSON for each batch of calls.

It is complete, and small enough to be read as a guide to writing another one. It serves an
installation of some thousand calls a day on one machine; every report reads the whole file.

    USAGE_STORE=examples.jsonl_store:open_store
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llm_api.domain.usage import UsageQuery, UsageRecord, UsageSums
from llm_api.storage import StoreError
from llm_api.storage.sums import HOUR, SumsReader, summed

# What sums of calls lack that were pruned by an earlier release.
_NOT_KNOWN_BEFORE: dict[str, Any] = {"group_id": "", "reason": "", "times": {}}


def open_store(folder: Path) -> "JsonLinesStore":
    """Create the store in the folder `instance` of the installation."""
    return JsonLinesStore(folder / "usage")


class JsonLinesStore:
    """Keeps calls in `calls.jsonl`, whose first line has the sums of calls that were pruned.

    A batch is one line: a process that dies while writing leaves a line without an end, which is
    ignored. A lock on the folder serializes the processes.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is created with the first call of a method."""
        self._folder = folder
        self._path = folder / "calls.jsonl"

    def add(self, records: Sequence[UsageRecord]) -> None:
        """See UsageStore."""
        rows = {record.request_id: _row(record) for record in records}
        with self._locked():
            known = {row["request_id"] for row in self._calls()}
            new = [row for request_id, row in rows.items() if request_id not in known]
            if new:
                self._append({"calls": new})

    def report(self, query: UsageQuery) -> list[UsageSums]:
        """See UsageStore."""
        reader = SumsReader(query)
        with self._locked():
            for line in self._lines():
                calls = summed(map(_with_time, line.get("calls", ())), HOUR)
                for sums in (*line.get("sums", ()), *calls):
                    row = _NOT_KNOWN_BEFORE | _with_time(sums, "starts_at")
                    if reader.matches(row):
                        reader.add(row)
                        if query.has_times:
                            reader.add_times(row)
        return reader.groups()

    def find(self, request_id: str, key_id: str | None, at_most: int) -> list[UsageRecord]:
        """See UsageStore."""
        with self._locked():
            found = [
                UsageRecord(**_with_time(row))
                for row in self._calls()
                if request_id in {row["request_id"], row.get("shown_id")}
                and key_id in {None, row["key_id"]}
            ]
        for record in found:
            record.created_at = record.created_at.replace(tzinfo=UTC)
        return sorted(found, key=lambda one: one.created_at, reverse=True)[:at_most]

    def prune(self, before: datetime, at_most: int) -> int:
        """See UsageStore."""
        with self._locked():
            calls = sorted(self._calls(), key=lambda row: str(row["created_at"]))
            old = [
                row for row in calls if _with_time(row)["created_at"] < before.replace(tzinfo=None)
            ]
            old = old[:at_most]
            if old:
                sums = [row for line in self._lines() for row in line.get("sums", ())]
                sums += [_with_text_time(row) for row in summed(map(_with_time, old), HOUR)]
                self._replace({"sums": sums}, {"calls": calls[len(old) :]})
            return len(old)

    def check(self) -> None:
        """See UsageStore."""
        with self._locked():
            pass

    def close(self) -> None:
        """See UsageStore."""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StoreError(f"The usage folder cannot be used ({error.strerror}).") from error

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Yield the complete lines of the file."""
        if self._path.exists():
            for line in self._path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def _calls(self) -> Iterator[dict[str, Any]]:
        for line in self._lines():
            yield from line.get("calls", ())

    def _append(self, line: Mapping[str, Any]) -> None:
        whole = sum(len(json.dumps(line)) + 1 for line in self._lines())
        with self._path.open("ab") as file:
            file.truncate(whole)  # half a line of a process that died
            file.write(_encoded(line))
            file.flush()
            os.fsync(file.fileno())

    def _replace(self, *lines: Mapping[str, Any]) -> None:
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.writelines(map(_encoded, lines))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _row(record: UsageRecord) -> dict[str, Any]:
    if None in (record.request_id, record.model, record.upstream, record.status, record.route):
        raise StoreError("A usage record lacks a field that every record has.")
    created_at = record.created_at.astimezone(UTC).replace(tzinfo=None)
    return asdict(record) | {"created_at": created_at.isoformat()}


def _with_time(row: Mapping[str, Any], name: str = "created_at") -> dict[str, Any]:
    moment = row[name]
    return {**row, name: datetime.fromisoformat(moment) if isinstance(moment, str) else moment}


def _with_text_time(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "starts_at": row["starts_at"].isoformat()}
