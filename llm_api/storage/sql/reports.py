"""Reads usage reports from the sums by hour and day."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from llm_api.domain.usage import UsageQuery, UsageSums
from llm_api.storage.sql.tables import usage_daily, usage_hourly
from llm_api.storage.sql.times_table import summed_counts, times_beside, times_of, usage_times
from llm_api.storage.sums import COLUMNS, SUMS, SumsReader

_AN_HOUR, _A_DAY = timedelta(hours=1), timedelta(days=1)


def read_sums(connection: Connection, query: UsageQuery) -> list[UsageSums]:
    """Return the groups that `query` asks for, ordered by the values of its dimensions."""
    reader = SumsReader(query)
    for table, since, until in _parts(query):
        part = replace(query, since=since, until=until)
        for row in _rows(connection, _statement(table, part)):
            reader.add(row)
        if query.has_times:
            for row in _rows(connection, _times_statement(table, part)):
                reader.add_times({**row, "times": times_of(row)})
    return reader.groups()


def _rows(connection: Connection, statement: sa.Select[Any]) -> Iterator[dict[str, Any]]:
    """Yield rows by the names of their columns; `mappings()` takes twice as long for them."""
    found = connection.execute(statement)
    names = tuple(found.keys())
    for row in found:
        yield dict(zip(names, row, strict=True))


def _statement(table: sa.Table, query: UsageQuery) -> sa.Select[Any]:
    names = [COLUMNS[name] for name in query.group_by]
    columns = [table.c[name] for name in dict.fromkeys([*names, *_always(query)])]
    return (
        sa.select(*columns, *(sa.func.sum(table.c[name]).label(name) for name in SUMS))
        .where(*_conditions(table, query))
        .group_by(*columns)
    )


def _times_statement(sums: sa.Table, query: UsageQuery) -> sa.Select[Any]:
    """Return the statement for the times beside the sums."""
    names = dict.fromkeys(COLUMNS[name] for name in query.group_by)
    columns = [*(sums.c[name] for name in names), usage_times.c.time, usage_times.c.first_bucket]
    return (
        sa.select(*columns, *summed_counts())
        .select_from(sums.join(usage_times, times_beside(sums)))
        # PostgreSQL sees that both start at the same time, and not that both are in the span: it
        # would read the times of all years.
        .where(*_conditions(sums, query), *_within(usage_times, query))
        .group_by(*columns)
    )


def _always(query: UsageQuery) -> tuple[str, ...]:
    """Return the columns by which sums must stay apart in every report."""
    by_tag = ("tags",) if "tag" in query.group_by else ()
    return ("usage_source", "currency", "status", *by_tag)


def _parts(query: UsageQuery) -> Iterator[tuple[sa.Table, datetime, datetime]]:
    """Split a time span into whole days, and hours at both ends.

    Reading days is 24 times cheaper; a month in China starts at 16:00 UTC.
    """
    first_day = _midnight(query.since + _A_DAY - _AN_HOUR)
    last_day = _midnight(query.until)
    if "hour" in query.group_by or first_day >= last_day:
        yield usage_hourly, query.since, query.until
        return
    if query.since < first_day:
        yield usage_hourly, query.since, first_day
    yield usage_daily, first_day, last_day
    if last_day < query.until:
        yield usage_hourly, last_day, query.until


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _conditions(table: sa.Table, query: UsageQuery) -> Iterator[sa.ColumnElement[bool]]:
    yield from _within(table, query)
    for name, value in query.filters.items():
        column = table.c[COLUMNS[name]]
        if name == "tag":
            # Not LIKE, which ignores case on SQLite.
            yield sa.func.replace(column, f",{value},", "") != column
        else:
            yield column == value


def _within(table: sa.Table, query: UsageQuery) -> Iterator[sa.ColumnElement[bool]]:
    yield table.c.starts_at >= query.since.replace(tzinfo=None)
    yield table.c.starts_at < query.until.replace(tzinfo=None)
