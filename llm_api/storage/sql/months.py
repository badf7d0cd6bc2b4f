"""Partitions of usage rows by months on PostgreSQL, where `flask db partition` has made them.

Partitions are known by their names: `usage_2027_01` has the rows of a month, `usage_before_2027_01`
those that were there before the conversion, and `usage_default` those of no other partition: no row
is refused for its time. PostgreSQL's own words for bounds depend on a session's DateStyle.

Locks (https://www.postgresql.org/docs/current/ddl-partitioning.html): ATTACH lets writers go on,
but for those of the default partition, which is nearly always empty. DROP TABLE stops all for a
moment. Whoever waits for such a lock holds up all who come after it, so that it gives up soon.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.storage import StoreError
from llm_api.storage.sql.transactions import Transactions

# An arbitrary number that no other program uses for an advisory lock in the same database: whoever
# changes the schema has it.
SCHEMA_LOCK = 7_310_255_902
DEFAULT = "usage_default"
# Held by `partition_usage` while it runs, in steps that are too long for the other lock.
CONVERSION_LOCK = SCHEMA_LOCK + 1
# Of the rows that were there, which are checked before they become a partition.
LIMIT_CHECK = "usage_before_limit"
_MONTHS_AHEAD = 3
LOCK_TIMEOUT = "2s"
_NAME = re.compile(r"usage_(?P<before>before_)?(?P<year>\d{4})_(?P<month>\d\d)")

_PARTITIONS = sa.text(
    "SELECT part.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid"
    " WHERE inhparent = to_regclass('usage') ORDER BY part.relname"
)
_CHECK_IS_LEFT = sa.text(
    "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass('usage')"
    " AND conname = :name)"
).bindparams(name=LIMIT_CHECK)


class UsageMonths:
    """Keeps the partitions of one database in step with the calendar; several processes may."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`, for PostgreSQL."""
        self._do = Transactions(engine)

    def keep(self, now: datetime, expired: datetime | None) -> datetime | None:
        """Make the partitions of the coming months, and drop those that are over.

        Args:
            now: timezone-aware.
            expired: calls that started earlier are to be removed, timezone-aware; None: none are.

        Returns:
            The time before which rows are to be deleted one by one: `expired` where there are no
            months; where there are, the beginning of the month that has `expired` in it, because
            that is dropped as a whole when it is over.

        Raises:
            StoreError: the database failed, a table was locked for too long, or does not belong to
                the user.
        """
        names = self._do.read(partition_names)
        if not names:
            self._drop_check_left_over()
            return expired
        for month in missing_months(names, now):
            self._change(partial(add_month, month=month))
        if expired is None:
            return None
        for name in _ended_before(names, expired):
            self._change(partial(_drop, name=name))
        start = month_of(expired)
        is_a_month = month_name(start) in names
        return datetime(start.year, start.month, 1, tzinfo=UTC) if is_a_month else expired

    def _change(self, change: Callable[[Connection], None]) -> None:
        """Do one change in a transaction of its own, unless another process is at it."""

        def alone(connection: Connection) -> None:
            if connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(SCHEMA_LOCK))):
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                change(connection)

        try:
            self._do.write(alone)
        except StoreError as error:
            raise StoreError(f"Partitions of usage rows stay as they are. {error}") from error

    def _drop_check_left_over(self) -> None:
        """Drop what a conversion that was killed has left: it would refuse rows weeks later."""
        if not self._do.read(lambda connection: connection.scalar(_CHECK_IS_LEFT)):
            return

        def drop(connection: Connection) -> None:
            if connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(CONVERSION_LOCK))):
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                drop_limit_check(connection)

        self._do.write(drop)


def partition_names(connection: Connection) -> list[str]:
    """Return the names of the partitions; none where usage rows are one table."""
    return list(connection.scalars(_PARTITIONS))


def month_of(moment: datetime) -> date:
    """Return the first day of a moment's month, in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def month_after(month: date) -> date:
    """Return the first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_name(month: date) -> str:
    """Return the name of a month's partition."""
    return f"usage_{month:%Y_%m}"


def former_name(month: date) -> str:
    """Return the name of the partition of all rows before a month."""
    return f"usage_before_{month:%Y_%m}"


def missing_months(names: Sequence[str], now: datetime) -> list[date]:
    """Return the months, this one and some coming ones, that need a partition and have none."""
    month, found = month_of(now), []
    ends = {end for name, end in _ends(names) if name == former_name(end)}
    for _ in range(_MONTHS_AHEAD + 1):
        if month_name(month) not in names and all(month >= end for end in ends):
            found.append(month)
        month = month_after(month)
    return found


def add_month(connection: Connection, month: date) -> None:
    """Make the partition of a month, with what the default partition has of it, unless it is there.

    The transaction must not wait for locks for long.
    """
    name, since, until = month_name(month), month, month_after(month)
    if connection.scalar(sa.select(sa.func.to_regclass(name))) is not None:
        return
    # A time to come is that of a clock that is wrong; else no month was made for months.
    span = f"created_at >= '{since}' AND created_at < '{until}'"
    found = f"DELETE FROM {DEFAULT} WHERE {span}"  # noqa: S608  # names of ours
    for statement in (
        f"LOCK TABLE {DEFAULT} IN ACCESS EXCLUSIVE MODE",
        f"CREATE TABLE {name} (LIKE usage INCLUDING ALL EXCLUDING INDEXES)",
        f"WITH moved AS ({found} RETURNING *) INSERT INTO {name} SELECT * FROM moved",  # noqa: S608
        f"ALTER TABLE usage ATTACH PARTITION {name} FOR VALUES FROM ('{since}') TO ('{until}')",
    ):
        connection.exec_driver_sql(statement)


def drop_limit_check(connection: Connection) -> None:
    """Drop the check of a conversion from the table as it was before."""
    connection.exec_driver_sql(f"ALTER TABLE usage DROP CONSTRAINT IF EXISTS {LIMIT_CHECK}")


def _drop(connection: Connection, name: str) -> None:
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def _ended_before(names: Sequence[str], expired: datetime) -> list[str]:
    """Return the partitions all of whose rows are to be removed."""
    month = month_of(expired)
    return [name for name, end in _ends(names) if end <= month]


def _ends(names: Sequence[str]) -> Iterator[tuple[str, date]]:
    """Yield partitions with the first day behind them."""
    for name in names:
        if match := _NAME.fullmatch(name):
            month = date(int(match["year"]), int(match["month"]), 1)
            yield name, month if match["before"] else month_after(month)
