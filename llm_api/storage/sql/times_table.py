"""The table of how long calls took: counts of buckets, beside the sums by hour and day.

A row has the buckets of two doublings of a time, as calls of one kind take about as long: a batch
of calls changes as many rows as it has kinds of calls, and not one a call. Hours and days are in
one table, so that a batch needs one statement for both.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from llm_api.storage.sql.moments import Moment
from llm_api.storage.sql.tables import metadata, usage_daily, usage_hourly
from llm_api.storage.sql.writing import insert_rows

_BUCKETS_A_ROW = 16
_COUNTS = tuple(f"bucket_{number}" for number in range(_BUCKETS_A_ROW))
_SPANS = {usage_hourly.name: "hour", usage_daily.name: "day"}

usage_times = sa.Table(
    "usage_times",
    metadata,
    sa.Column("span", sa.String(4), primary_key=True, comment="hour or day"),
    sa.Column("starts_at", Moment, primary_key=True, comment="UTC"),
    sa.Column(
        "dimensions", sa.String(32), primary_key=True, comment="Of the row of sums beside it"
    ),
    sa.Column("time", sa.String(16), primary_key=True, comment="Which: a column of usage"),
    sa.Column("first_bucket", sa.Integer(), primary_key=True, autoincrement=False),
    # No BIGINT: a kind of calls does not come to 2^31 a day.
    *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
)


def add_times(
    connection: Connection, sums: Iterable[tuple[sa.Table, Iterable[Mapping[str, Any]]]]
) -> None:
    """Add the times of rows that `llm_api.storage.sums.summed` made, beside their tables."""
    rows = [row for table, of in sums for one in of for row in _rows(_SPANS[table.name], one)]
    insert_rows(connection, usage_times, rows, sums=_COUNTS)


def times_beside(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition by which times are joined to the sums of `table`."""
    return sa.and_(
        usage_times.c.span == _SPANS[table.name],
        usage_times.c.starts_at == table.c.starts_at,
        usage_times.c.dimensions == table.c.dimensions,
    )


def summed_counts() -> list[sa.ColumnElement[Any]]:
    """Return the sums of the counts of rows, for a SELECT."""
    return [sa.func.sum(usage_times.c[name]).label(name) for name in _COUNTS]


def times_of(row: Mapping[Any, Any]) -> dict[str, dict[int, int]]:
    """Return a row that was read, as `llm_api.storage.sums` has times."""
    first = row["first_bucket"]
    counts = {first + at: int(row[name]) for at, name in enumerate(_COUNTS) if row[name]}
    return {row["time"]: counts}


def _rows(span: str, sums: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one row of sums, in an order in which writers do not deadlock."""
    for time, counts in sums["times"].items():
        rows: dict[int, dict[str, Any]] = {}
        for bucket, calls in counts.items():
            first, at = bucket & -_BUCKETS_A_ROW, bucket % _BUCKETS_A_ROW
            if first not in rows:
                rows[first] = dict.fromkeys(_COUNTS, 0)
            rows[first][_COUNTS[at]] = calls
        for first in sorted(rows):
            yield {
                "span": span,
                "starts_at": sums["starts_at"],
                "dimensions": sums["dimensions"],
                "time": time,
                "first_bucket": first,
                **rows[first],
            }
