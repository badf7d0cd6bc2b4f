"""Sums of calls by hour and by day, updated in the transaction that inserts the calls.

So they are exact: a call that is added twice counts once, and readers see both or neither.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from llm_api.storage.sql.tables import usage_daily, usage_hourly
from llm_api.storage.sql.times_table import add_times
from llm_api.storage.sql.writing import insert_rows
from llm_api.storage.sums import HOUR, SUMS, summed, summed_by_day


def add_to_rollups(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add calls that were just inserted to the sums of their hours and days.

    `rows` have the fields of a UsageRecord; `created_at` is naive, in UTC.
    """
    hours = summed(rows, HOUR)
    insert_rows(connection, usage_hourly, hours, sums=SUMS)
    days = summed_by_day(hours)
    insert_rows(connection, usage_daily, days, sums=SUMS)
    add_times(connection, [(usage_hourly, hours), (usage_daily, days)])
