"""Writes past SQLAlchemy's statements, for what every call needs: rows and reservations.

To insert many rows the drivers run a statement a row. sqlite3 releases the interpreter's lock
around each, and has to wait for it beside a busy event loop: in a worker at 300 calls a second the
thread that keeps usage rows took 0.20 ms of CPU a call, and takes 0.10 with 38 rows a statement.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPICursor

from llm_api.storage.sql.engine import BEGIN_WRITING

# As many parameters as every SQLite takes (https://sqlite.org/limits.html, before 3.32).
_MAX_PARAMETERS = 999


@contextmanager
def writing(engine: Engine) -> Iterator[DBAPICursor]:
    """Run a block in a transaction, on a cursor of the driver; what is raised rolls it back.

    A reservation takes 50 µs so. SQLAlchemy's `begin` and `execute` add 70 and 35 each, and twice
    as much in a thread that wakes for it.
    """
    driver_error = engine.dialect.loaded_dbapi.Error
    try:
        with closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            if engine.dialect.name == "sqlite":
                cursor.execute(BEGIN_WRITING)
            yield cursor
            connection.commit()
    except driver_error as error:  # closing the connection has rolled back
        raise sa.exc.DBAPIError(None, None, error) from error


def placeholder(dialect: Dialect) -> str:
    """Return what stands for a parameter in SQL for the driver."""
    return "?" if dialect.paramstyle == "qmark" else "%s"


def insert_rows(
    connection: Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    sums: tuple[str, ...] = (),
) -> None:
    """Insert rows, which have a value for each column.

    Args:
        connection: of the transaction.
        table: where they go.
        rows: in the order in which they are inserted, and locked.
        sums: columns that are added to a row that exists already, instead of an IntegrityError.
    """
    for text, parameters in inserts(connection.dialect, table, rows, sums=sums):
        connection.exec_driver_sql(text, parameters)


def inserts(
    dialect: Dialect,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    sums: tuple[str, ...] = (),
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the statements of `insert_rows` with their parameters, for the driver."""
    insert = _insert_into(table, sums, dialect)
    for start in range(0, len(rows), insert.max_rows):
        part = rows[start : start + insert.max_rows]
        yield insert.text(len(part)), insert.parameters(part)


class _Insert:
    """The statement for a table, for one of the dialects."""

    def __init__(self, table: sa.Table, sums: Sequence[str], dialect: Dialect) -> None:
        quote = dialect.identifier_preparer
        names = [quote.format_column(column) for column in table.columns]
        self._row = f"({', '.join([placeholder(dialect)] * len(names))})"
        self._head = f"INSERT INTO {quote.format_table(table)} ({', '.join(names)}) VALUES "  # noqa: S608  # names of ours
        self._tail = _addition(table, sums, dialect.name) if sums else ""
        self._width = len(names)
        self._values_of = itemgetter(*(column.name for column in table.columns))
        self._processors = _processors(table, dialect)
        self.max_rows = _MAX_PARAMETERS // self._width
        self.text = lru_cache(maxsize=None)(self._text)  # of one to max_rows rows

    def _text(self, count: int) -> str:
        """Return the SQL for so many rows."""
        return self._head + ", ".join([self._row] * count) + self._tail

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
        """Return the values of rows as the driver takes them, one row after the other."""
        values: list[Any] = []
        for row in rows:
            values += self._values_of(row)
        for at, process in self._processors:
            values[at :: self._width] = map(process, values[at :: self._width])
        return tuple(values)


@cache
def _insert_into(table: sa.Table, sums: tuple[str, ...], dialect: Dialect) -> _Insert:
    return _Insert(table, sums, dialect)


def _processors(table: sa.Table, dialect: Dialect) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return what SQLAlchemy does to values before the driver gets them, by their columns."""
    found = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
    return [(at, process) for at, process in enumerate(found) if process is not None]


def _addition(table: sa.Table, sums: Sequence[str], dialect: str) -> str:
    """Return the end of an INSERT that adds to a row of the same key.

    MySQL's newer form (`AS new`) is unknown to MariaDB and to MySQL before 8.0.19.
    """
    if dialect in {"mysql", "mariadb"}:
        added = ", ".join(f"{name} = {table.name}.{name} + VALUES({name})" for name in sums)
        return f" ON DUPLICATE KEY UPDATE {added}"
    keys = ", ".join(column.name for column in table.primary_key)
    added = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in sums)
    return f" ON CONFLICT ({keys}) DO UPDATE SET {added}"
