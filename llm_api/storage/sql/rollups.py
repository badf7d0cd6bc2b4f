"""Sums of calls by hour and by day, updated in the transaction that inserts the calls.

So they are exact: a call that is added twice counts once, and readers see both or neither.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection

from llm_api.storage.sql.tables import usage_daily, usage_hourly
from llm_api.storage.sums import DAY, HOUR, SUMS, summed

_SPANS = ((usage_hourly, HOUR), (usage_daily, DAY))


def add_to_rollups(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add calls that were just inserted to the sums of their hours and days.

    `rows` have the fields of a UsageRecord; `created_at` is naive, in UTC.
    """
    rows = list(rows)
    for table, start in _SPANS:
        sums = summed(rows, start)
        if sums:
            connection.execute(_upsert(connection.dialect.name, table), sums)


def _upsert(dialect: str, table: sa.Table) -> sa.Insert:
    """Return the statement that inserts a row of sums, or adds to the existing one."""
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
