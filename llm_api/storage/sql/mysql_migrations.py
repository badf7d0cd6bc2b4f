"""Resumable migrations for MySQL and MariaDB, which commit every change of the schema by itself.

A migration that fails half-way leaves its first steps done, and is the next to run. So steps that
are done already are skipped.
"""

from typing import Any

import sqlalchemy as sa
from alembic.ddl.mysql import MySQLImpl
from sqlalchemy.engine import Connection

from llm_api.storage import StoreError

_LOCK_WAIT_S = 86_400


class ResumableMySQLImpl(MySQLImpl):
    """Runs Alembic's steps unless they are done; Alembic finds it by its `__dialect__`."""

    __dialect__ = "mysql"

    def create_table(self, table: sa.Table, **options: Any) -> None:
        """Create a table, or the missing indexes of one that exists.

        A table with other columns belongs to another program: creating it fails.
        """
        names = {column.name for column in table.columns}
        if not names <= self._columns(table.name):
            super().create_table(table, **options)
            return
        for index in table.indexes:
            self.create_index(index)

    def drop_table(self, table: sa.Table, **options: Any) -> None:
        """Drop a table."""
        if self._columns(table.name):
            super().drop_table(table, **options)

    def add_column(self, table_name: str, column: sa.Column[Any], **options: Any) -> None:
        """Add a column."""
        if column.name not in self._columns(table_name):
            super().add_column(table_name, column, **options)

    def drop_column(self, table_name: str, column: sa.Column[Any], **options: Any) -> None:
        """Drop a column."""
        if column.name in self._columns(table_name):
            super().drop_column(table_name, column, **options)

    def alter_column(
        self, table_name: str, column_name: str, *, name: str | None = None, **options: Any
    ) -> None:
        """Change a column, or rename it to `name` unless that is done."""
        if name is None or name not in self._columns(table_name):
            super().alter_column(table_name, column_name, name=name, **options)

    def create_index(self, index: sa.Index, **options: Any) -> None:
        """Create an index."""
        if index.name not in self._indexes(index):
            super().create_index(index, **options)

    def drop_index(self, index: sa.Index, **options: Any) -> None:
        """Drop an index."""
        if index.name in self._indexes(index):
            super().drop_index(index, **options)

    def _columns(self, table: str) -> set[str]:
        inspector = self._inspector()
        if not inspector.has_table(table):
            return set()
        return {column["name"] for column in inspector.get_columns(table)}

    def _indexes(self, index: sa.Index) -> set[str | None]:
        table = "" if index.table is None else index.table.name
        inspector = self._inspector()
        if not inspector.has_table(table):
            return set()
        return {found["name"] for found in inspector.get_indexes(table)}

    def _inspector(self) -> sa.Inspector:
        if self.connection is None:
            raise StoreError("Migrations of MySQL need a connection.")  # there is no offline mode
        return sa.inspect(self.connection)


def wait_for_turn(connection: Connection) -> None:
    """Acquire the migration lock of this database; closing the connection releases it.

    Locks are server-wide, so that the name has a digest of the database's. Raises StoreError after
    a day.
    """
    name = sa.func.concat("llm_api:", sa.func.md5(sa.func.database()))
    if connection.scalar(sa.select(sa.func.get_lock(name, _LOCK_WAIT_S))) != 1:
        raise StoreError("Another process has been migrating the database for a day.")


def lock_out_writers(connection: Connection, *tables: str) -> None:
    """Lock tables for other writers until the migration is recorded as done."""
    locked = [*tables, "alembic_version"]
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(f"{quote(name)} WRITE" for name in locked)
    connection.exec_driver_sql(f"LOCK TABLES {names}")


def release_writers(connection: Connection) -> None:
    """Release the locks of `lock_out_writers`, and commit."""
    connection.exec_driver_sql("UNLOCK TABLES")
    connection.exec_driver_sql("COMMIT")
