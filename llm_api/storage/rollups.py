"""Sums of calls by hour and by day, kept in the transaction that keeps the calls themselves.

So they are exact: a row that comes twice is counted once, and a reader never sees one without the
other. No job has to run, and none can fall behind.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime  # noqa: TC003  # one import block is enough
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection

from llm_api.storage.tables import DIMENSIONS, SUMS, usage_daily, usage_hourly

_SPANS = (
    (usage_hourly, {"minute": 0, "second": 0, "microsecond": 0}),
    (usage_daily, {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}),
)


def add_to_rollups(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add the rows, which are new, to the sums of their hours and days."""
    rows = list(rows)
    for table, start in _SPANS:
        sums = _summed(rows, start)
        if sums:
            connection.execute(_upsert(connection.dialect.name, table), sums)


def _summed(rows: Iterable[Mapping[str, Any]], start: Mapping[str, int]) -> list[dict[str, Any]]:
    """Sum rows up by span and dimensions, in an order in which no two writers block each other."""
    sums: dict[tuple[datetime, tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for row in rows:
        starts_at = row["created_at"].replace(**start)
        group = sums[starts_at, tuple(row[name] or "" for name in DIMENSIONS)]
        group["calls"] += 1
        for name in SUMS[1:]:
            group[name] += row[name] or 0
    return [
        {
            "starts_at": starts_at,
            "dimensions": _digest(values),
            **dict(zip(DIMENSIONS, values, strict=True)),
            **{name: group[name] for name in SUMS},
        }
        for (starts_at, values), group in sorted(sums.items(), key=lambda item: item[0])
    ]


def _digest(values: Iterable[str]) -> str:
    """Stand for the dimensions in the key: together they are too long for an index of MySQL."""
    return hashlib.blake2b("\0".join(values).encode(), digest_size=16).hexdigest()


def _upsert(dialect: str, table: sa.Table) -> sa.Insert:
    """Make the statement that inserts a row of sums or adds to the one that is there."""
    if dialect in {"mysql", "mariadb"}:
        statement = mysql.insert(table)
        added = {name: table.c[name] + statement.inserted[name] for name in SUMS}
        return statement.on_duplicate_key_update(added)
    keys = [column.name for column in table.primary_key]
    if dialect == "postgresql":
        into = postgresql.insert(table)
        sums = {name: table.c[name] + into.excluded[name] for name in SUMS}
        return into.on_conflict_do_update(index_elements=keys, set_=sums)
    lite = sqlite.insert(table)
    return lite.on_conflict_do_update(
        index_elements=keys, set_={name: table.c[name] + lite.excluded[name] for name in SUMS}
    )
