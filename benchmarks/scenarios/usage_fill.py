"""Loads a year of usage rows and their sums into a database, far faster than the service would.

Rows bypass SQLAlchemy: on a sample, `check_filling` compares every stored value with what the store
writes for the same calls.
"""

import contextlib
import itertools
import json
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks.scenarios.usage_rows import Hour, Kinds, hours, summed
from llm_api.domain.usage import UsageRecord
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import usage, usage_daily, usage_hourly
from llm_api.storage.sql.usage import SqlUsageStore

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
SAMPLE_ROWS_A_DAY = 3_000
SAMPLE_HOURS = 30
BATCH = 1_000
_OWN = ("request_id", "created_at")
# The cache holds the index of ten million random ids.
_FAST_SQLITE = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA cache_size=-1500000",
    "BEGIN",
)


class FillingError(Exception):
    """Bulk loading and the store have written different values."""


class Loader(ABC):
    """Loads rows in bulk."""

    @abstractmethod
    def kinds(self, records: Sequence[UsageRecord]) -> None:
        """Set the values that all calls of a kind share."""

    @abstractmethod
    def calls(self, hour: Hour) -> None:
        """Insert the calls of an hour."""

    @abstractmethod
    def sums(self, table: sa.Table, rows: Iterable[Sequence[str | int]]) -> None:
        """Insert complete rows of a table of sums."""

    @abstractmethod
    def end(self) -> None:
        """Commit, and maintain the tables as the database would over time."""


def _shared_values(record: UsageRecord) -> Iterator[Any]:
    """Yield the values of a row except its id and time, in the order of the table."""
    for column in usage.columns:
        if column.name not in _OWN:
            value = getattr(record, column.name)
            yield json.dumps(value) if isinstance(column.type, sa.JSON) else value


def _times(hour: Hour) -> Iterator[str]:
    prefix = hour.starts_at.strftime("%Y-%m-%d %H:")
    for microsecond, _, _ in hour.calls:
        seconds, rest = divmod(microsecond, 1_000_000)
        minute, second = divmod(seconds, 60)
        yield f"{prefix}{minute:02}:{second:02}.{rest:06}"


class SqliteLoader(Loader):
    """One transaction without a journal: after a failure the file is of no use."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use a connection in autocommit mode."""
        self._connection = connection
        self._kinds: list[tuple[Any, ...]] = []
        for statement in _FAST_SQLITE:
            connection.execute(statement)

    def kinds(self, records: Sequence[UsageRecord]) -> None:
        """See Loader."""
        self._kinds = [tuple(_shared_values(record)) for record in records]

    def calls(self, hour: Hour) -> None:
        """See Loader."""
        rows = (
            (request_id, time, *self._kinds[kind])
            for time, (_, request_id, kind) in zip(_times(hour), hour.calls, strict=True)
        )
        self._insert(usage, rows)

    def sums(self, table: sa.Table, rows: Iterable[Sequence[str | int]]) -> None:
        """See Loader."""
        self._insert(table, rows)

    def _insert(self, table: sa.Table, rows: Iterable[Sequence[Any]]) -> None:
        placeholders = ",".join("?" * len(table.columns))
        self._connection.executemany(
            f'INSERT INTO "{table.name}" VALUES ({placeholders})',  # noqa: S608  # a name of ours
            rows,
        )

    def end(self) -> None:
        """See Loader."""
        self._connection.execute("COMMIT")
        self._connection.execute("PRAGMA journal_mode=WAL")


class PostgresLoader(Loader):
    """COPY, in one transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Use a connection outside of a transaction."""
        self._connection = connection
        self._kinds: list[str] = []

    def kinds(self, records: Sequence[UsageRecord]) -> None:
        """See Loader."""
        self._kinds = ["\t".join(map(_copied, _shared_values(record))) for record in records]

    def calls(self, hour: Hour) -> None:
        """See Loader."""
        lines = (
            f"{request_id}\t{time}\t{self._kinds[kind]}\n"
            for time, (_, request_id, kind) in zip(_times(hour), hour.calls, strict=True)
        )
        self._copy(usage, lines)

    def sums(self, table: sa.Table, rows: Iterable[Sequence[str | int]]) -> None:
        """See Loader."""
        self._copy(table, ("\t".join(map(_copied, row)) + "\n" for row in rows))

    def _copy(self, table: sa.Table, lines: Iterable[str]) -> None:
        statement = f"COPY {table.name} FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.write("".join(lines))

    def end(self) -> None:
        """See Loader; do also what autovacuum would have done in a year."""
        self._connection.commit()
        self._connection.autocommit = True  # VACUUM runs outside of transactions
        self._connection.execute("VACUUM ANALYZE")


def _copied(value: object) -> str:
    return "\\N" if value is None else str(value)


@contextlib.contextmanager
def loading(url: str) -> Iterator[Loader]:
    """Open a migrated database for loading."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(address.database), isolation_level=None)) as connection:
            yield SqliteLoader(connection)
    else:
        plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as server:
            yield PostgresLoader(server)


def fill(
    url: str,
    kinds: Kinds,
    all_hours: Iterable[Hour],
    tell: Callable[[int], None] = lambda _: None,
) -> None:
    """Migrate a database and load calls with their sums.

    `tell` is called with the number of each day, from 0.
    """
    migrate.upgrade(url, REPOSITORY_ROOT)
    with loading(url) as loader:
        loader.kinds(kinds.records)
        for number, day in enumerate(_days(all_hours)):
            of_day: Counter[int] = Counter()
            for hour in day:
                counts = Counter(kind for _, _, kind in hour.calls)
                of_day += counts
                loader.calls(hour)
                loader.sums(usage_hourly, _starting(hour, kinds, counts))
            loader.sums(usage_daily, _starting(day[0], kinds, of_day))
            tell(number)
        loader.end()


def _days(all_hours: Iterable[Hour]) -> Iterator[list[Hour]]:
    for _, day in itertools.groupby(all_hours, lambda hour: hour.starts_at.date()):
        yield list(day)


def _starting(hour: Hour, kinds: Kinds, counts: Counter[int]) -> Iterator[tuple[str | int, ...]]:
    start = hour.starts_at.strftime("%Y-%m-%d %H:%M:%S.%f")
    return ((start, *values) for values in summed(kinds, counts))


def check_filling(filled: str, added: str, kinds: Kinds) -> int:
    """Load one empty database in bulk and one through the store; return the number of rows.

    Raises FillingError if any value differs.
    """
    sample = list(itertools.islice(hours(kinds, SAMPLE_ROWS_A_DAY * 365), SAMPLE_HOURS))
    records = [record for hour in sample for record in hour.records(kinds)]
    fill(filled, kinds, sample)
    migrate.upgrade(added, REPOSITORY_ROOT)
    store = SqlUsageStore(make_engine(added))
    for start in range(0, len(records), BATCH):
        store.add(records[start : start + BATCH])
    store.close()
    for table in (usage, usage_hourly, usage_daily):  # times are not filled
        if _content(filled, table) != _content(added, table):
            raise FillingError(f"{table.name} is not as the store would have filled it")
    return len(records)


def _content(url: str, table: sa.Table) -> list[tuple[Any, ...]]:
    """Return a table with the values and types of the driver."""
    engine = make_engine(url)
    with engine.connect() as connection:
        statement = f'SELECT * FROM "{table.name}" ORDER BY 1, 2'  # noqa: S608  # a name of ours
        found = [tuple(row) for row in connection.exec_driver_sql(statement)]
    engine.dispose()
    return found
