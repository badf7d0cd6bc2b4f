"""The SQL stores keep the contracts of task stores and of file indexes on every database."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.file_table import SqlFiles
from llm_api.storage.sql.tables import metadata
from llm_api.storage.sql.task_table import SqlTasks, _skips_locked
from tests.storage.changing import empty_tables
from tests.storage.contract_file_index import FileIndexContract, IndexOpener
from tests.storage.contract_tasks import TaskOpener, TaskStoreContract


class ClosedTasks(SqlTasks):
    """A store that closes its engine."""

    def __init__(self, url: str) -> None:
        """Open the database."""
        self._engine = make_engine(url)
        super().__init__(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class ClosedFiles(SqlFiles):
    """An index that closes its engine."""

    def __init__(self, url: str) -> None:
        """Open the database."""
        self._engine = make_engine(url)
        super().__init__(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class TestSqlTasks(TaskStoreContract):
    """Runs on a SQLite file, PostgreSQL and MariaDB."""

    @pytest.fixture
    def opener(self, shared_database: str) -> TaskOpener:
        """Open the store on a database with the schema and without rows."""
        empty_tables(shared_database)
        return partial(ClosedTasks, shared_database)

    @pytest.fixture
    def unreachable_opener(self, unreachable_database: str) -> TaskOpener:
        """Open it where there is no database."""
        return partial(ClosedTasks, unreachable_database)


class TestSqlFiles(FileIndexContract):
    """Runs on the same databases."""

    @pytest.fixture
    def index_opener(self, shared_database: str) -> IndexOpener:
        """Open the index on a database with the schema and without rows."""
        empty_tables(shared_database)
        return partial(ClosedFiles, shared_database)

    @pytest.fixture
    def unreachable_index_opener(self, unreachable_database: str) -> IndexOpener:
        """Open it where there is no database."""
        return partial(ClosedFiles, unreachable_database)


@pytest.mark.parametrize(
    ("dialect", "is_mariadb", "version", "skips"),
    [
        (mysql.dialect, True, (10, 5, 29), False),
        (mysql.dialect, True, (10, 6, 0), True),
        (mysql.dialect, False, (8, 0, 17), True),
        (postgresql.dialect, False, (12, 0), True),
        (sqlite.dialect, False, (3, 40, 1), True),  # which leaves the words out
    ],
)
def test_locked_rows_are_passed_over_where_the_database_can(
    dialect: type[sa.Dialect], version: tuple[int, ...], *, is_mariadb: bool, skips: bool
) -> None:
    made = dialect()
    made.server_version_info = version  # type: ignore[attr-defined]  # as connecting sets it
    if is_mariadb:
        made.is_mariadb = True  # type: ignore[attr-defined]

    assert _skips_locked(made) is skips


def test_the_films_of_a_key_are_found_without_a_look_at_its_pictures(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    metadata.create_all(engine)
    asked: list[tuple[str, Any]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *sent: asked.append(sent[2:4]))
    SqlTasks(engine).of_key(
        "video", "key_1", states=(), after=None, at_most=21, is_oldest_first=False
    )
    statement, values = asked[-1]

    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    engine.dispose()

    assert [step[3] for step in plan] == [
        "SEARCH tasks USING INDEX ix_tasks_listed (key_id=? AND kind=?)"
    ]
