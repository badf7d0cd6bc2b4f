"""The tables of calls in ClickHouse, and their rows.

`usage_calls` has the rows, for look-ups by id, until they are pruned. `usage_counts` has what sums
are made of, and stays: of each call its hour in place of its time, and a digest in place of its id.

Both keep the first copy of a call: a copy has the same sorting key, and of several the engine keeps
that of the greatest `version`, which is greater the earlier a row was written
(https://clickhouse.com/docs/engines/table-engines/mergetree-family/replacingmergetree). Copies are
there until parts are merged, so that all that is read is read with FINAL.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import orjson

from llm_api.domain.call_times import TIMES, bucket_of
from llm_api.domain.usage import UsageRecord
from llm_api.storage import RefusedError
from llm_api.storage.sums import DIMENSIONS, SUMS

CALLS, COUNTS = "usage_calls", "usage_counts"
AMOUNTS = SUMS[1:]  # without the number of calls
_TEXT, _NUMBER, _TIME = "String", "Int64", "DateTime64(6, 'UTC')"
_JSON = frozenset({"attempts_detail", "pictures"})
_NEVER_NONE = ("request_id", "created_at", "route", "model", "upstream", "status", "usage_source")
_LATEST_NS = 1 << 63


def _type_of(name: str) -> str:
    if name == "created_at":
        return _TIME
    if name in _NEVER_NONE or name == "tags":
        return _TEXT
    is_number = name in {*AMOUNTS, "upstream_ms", "first_token_ms", "overhead_ms", "http_status"}
    return f"Nullable({_NUMBER if is_number else _TEXT})"


# Columns with their types, in the order of the rows.
CALL_COLUMNS: Mapping[str, str] = MappingProxyType(
    {name: _type_of(name) for name in UsageRecord.__slots__} | {"version": "UInt64"}
)
COUNT_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "starts_at": "DateTime('UTC')",
        "id": "FixedString(16)",
        **dict.fromkeys(DIMENSIONS, "LowCardinality(String)"),
        **dict.fromkeys(AMOUNTS, _NUMBER),
        **{f"{name}_bucket": "Nullable(UInt16)" for name in TIMES},
        "version": "UInt64",
    }
)


def _table(
    name: str, columns: Mapping[str, str], month: str, key: str, more: str = ""
) -> tuple[str, str]:
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return name, (
        f"CREATE TABLE IF NOT EXISTS {name} ({listed}{more}) ENGINE = ReplacingMergeTree(version)"
        f" PARTITION BY toYYYYMM({month}) ORDER BY ({key})"
        # What was added is to survive the machine: by default ClickHouse leaves that to replicas.
        " SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
    )


# How each is created.
TABLES: Mapping[str, str] = MappingProxyType(
    dict(
        (
            _table(
                *(CALLS, CALL_COLUMNS, "created_at", "request_id, created_at"),
                ", INDEX shown shown_id TYPE bloom_filter(0.01) GRANULARITY 4",
            ),
            _table(COUNTS, COUNT_COLUMNS, "starts_at", "starts_at, id"),
        )
    )
)


def call_row(record: UsageRecord, written_ns: int) -> list[Any]:
    """Return the row of a call in `usage_calls`.

    Args:
        record: a call.
        written_ns: now, in nanoseconds.

    Raises:
        RefusedError: a field that every record has is missing, or a number is too large.
    """
    row = {name: getattr(record, name) for name in UsageRecord.__slots__}
    if any(row[name] is None for name in _NEVER_NONE):
        raise RefusedError("A usage record lacks a field that every record has.")
    if any(isinstance(value, int) and abs(value) >= _LATEST_NS for value in row.values()):
        raise RefusedError("A usage record has a number that no column holds.")
    row["created_at"] = _aware(record.created_at)
    for name in _JSON:
        row[name] = None if row[name] is None else orjson.dumps(row[name]).decode()
    return [*row.values(), _LATEST_NS - written_ns]


def count_row(record: UsageRecord, written_ns: int) -> list[Any]:
    """Return the row of a call in `usage_counts`; `call_row` has checked the record."""
    times = [getattr(record, name) for name in TIMES]
    return [
        _aware(record.created_at).replace(minute=0, second=0, microsecond=0),
        hashlib.blake2b(record.request_id.encode(), digest_size=16).digest(),
        *(getattr(record, name) or "" for name in DIMENSIONS),
        *(getattr(record, name) or 0 for name in AMOUNTS),
        *(None if ms is None else bucket_of(ms) for ms in times),
        _LATEST_NS - written_ns,
    ]


def record_of(row: Sequence[Any]) -> UsageRecord:
    """Return the call of a row of `usage_calls`, without its version."""
    fields = dict(zip(UsageRecord.__slots__, row, strict=True))
    fields["created_at"] = _aware(fields["created_at"])
    for name in _JSON:
        fields[name] = None if fields[name] is None else orjson.loads(fields[name])
    return UsageRecord(**fields)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
