"""Reads usage reports from the sums by hour and day."""

from collections.abc import Iterator
from datetime import time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from llm_api.accounting import UsageQuery, UsageSums
from llm_api.storage.sums import COLUMNS, SUMS, SumsReader
from llm_api.storage.tables import usage_daily, usage_hourly

_MIDNIGHT = time()


def read_sums(connection: Connection, query: UsageQuery) -> list[UsageSums]:
    """Return the groups of a report, in the order of their dimensions."""
    table = _table(query)
    names = [COLUMNS[name] for name in query.group_by]
    columns = [table.c[name] for name in dict.fromkeys([*names, *_always(query)])]
    statement = (
        sa.select(*columns, *(sa.func.sum(table.c[name]).label(name) for name in SUMS))
        .where(*_conditions(table, query))
        .group_by(*columns)
    )
    reader = SumsReader(query)
    for row in connection.execute(statement).mappings():
        reader.add(dict(row))
    return reader.groups()


def _always(query: UsageQuery) -> tuple[str, ...]:
    """Name the dimensions that keep numbers apart that must not become one."""
    by_tag = ("tags",) if "tag" in query.group_by else ()
    return ("usage_source", "currency", "status", *by_tag)


def _table(query: UsageQuery) -> sa.Table:
    """Choose the days where they can answer: they are a twenty-fourth of the hours."""
    is_whole_days = query.since.time() == _MIDNIGHT == query.until.time()
    return usage_daily if is_whole_days and "hour" not in query.group_by else usage_hourly


def _conditions(table: sa.Table, query: UsageQuery) -> Iterator[sa.ColumnElement[bool]]:
    yield table.c.starts_at >= query.since.replace(tzinfo=None)
    yield table.c.starts_at < query.until.replace(tzinfo=None)
    for name, value in query.filters.items():
        column = table.c[COLUMNS[name]]
        if name == "tag":
            # Not LIKE, to which on SQLite a small letter is the same as a capital one.
            yield sa.func.replace(column, f",{value},", "") != column
        else:
            yield column == value
