"""Reads usage reports from the sums by hour and day."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from llm_api.accounting import UsageQuery, UsageSums
from llm_api.storage.tables import SUMS, usage_daily, usage_hourly

_COLUMNS = {
    "key": "key_id",
    "route": "route",
    "model": "model",
    "upstream": "upstream",
    "status": "status",
    "tag": "tags",
    "hour": "starts_at",
    "day": "starts_at",
}
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_MIDNIGHT = time()


def read_sums(connection: Connection, query: UsageQuery) -> list[UsageSums]:
    """Return the groups of a report, in the order of their dimensions.

    A call with two tags is in the groups of both.
    """
    table = _table(query)
    names = [_COLUMNS[name] for name in query.group_by]
    columns = [table.c[name] for name in dict.fromkeys([*names, *_always(query)])]
    statement = (
        sa.select(*columns, *(sa.func.sum(table.c[name]).label(name) for name in SUMS))
        .where(*_conditions(table, query))
        .group_by(*columns)
    )
    groups: dict[tuple[str, ...], UsageSums] = {}
    for found in connection.execute(statement).mappings():
        row = dict(found)
        for values in _groups_of(row, query):
            named = dict(zip(query.group_by, values, strict=True))
            _add(groups.setdefault(values, UsageSums(named)), row)
    return [groups[values] for values in sorted(groups)]


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
        column = table.c[_COLUMNS[name]]
        if name == "tag":
            yield column.contains(f",{value},", autoescape=True)
        else:
            yield column == value


def _groups_of(row: Mapping[str, Any], query: UsageQuery) -> Iterator[tuple[str, ...]]:
    """Yield the groups that a row belongs to: one, or one for each of its tags."""
    tags = row["tags"].strip(",").split(",") if "tag" in query.group_by else [""]
    for tag in tags:
        yield tuple(
            tag if name == "tag" else _shown(name, row[_COLUMNS[name]]) for name in query.group_by
        )


def _shown(name: str, value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:00:00Z" if name == "hour" else "%Y-%m-%d")
    return str(value)


def _add(sums: UsageSums, row: Mapping[str, Any]) -> None:
    calls, source = int(row["calls"]), row["usage_source"]
    sums.calls += calls
    sums.errors += calls if row["status"] != "ok" else 0
    sums.attempts += int(row["attempts"])
    sums.images += int(row["images"])
    sums.total_ms += int(row["total_ms"])
    if source == "upstream":
        sums.measured_calls += calls
        _count(sums.measured, row, _TOKENS)
    elif source == "estimated":
        sums.estimated_calls += calls
        _count(sums.estimated, row, _TOKENS)
    else:
        sums.uncounted_calls += calls
    if row["currency"]:
        sums.cost_micro[row["currency"]] += int(row["cost_micro"])
    else:
        sums.unpriced += calls


def _count(counter: Counter[str], row: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        counter[name] += int(row[name])
