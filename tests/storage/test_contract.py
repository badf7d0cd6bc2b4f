"""The SQL store keeps the contract of usage stores on every database."""

from collections.abc import Iterator, Sequence
from functools import partial

import pytest
import sqlalchemy as sa

from llm_api.storage import UsageStore, migrate
from llm_api.storage.engine import make_engine
from llm_api.storage.sql import SqlUsageStore
from llm_api.storage.tables import metadata
from tests.storage.contract import Opener, UsageStoreContract
from tests.support.ports import LOOPBACK, closed_port
from tests.support.service import REPOSITORY_ROOT


def open_sql(url: str) -> UsageStore:
    """Open the store; for other processes, to which a closure cannot be sent."""
    return SqlUsageStore(make_engine(url))


def empty_tables(url: str) -> None:
    """Remove all rows and sums."""
    change(url, [sa.delete(table) for table in metadata.sorted_tables])


def change(url: str, statements: Sequence[sa.Executable]) -> None:
    """Run statements in one transaction."""
    engine = make_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


class TestSqlUsageStore(UsageStoreContract):
    """Runs on a SQLite file, PostgreSQL and MariaDB."""

    @pytest.fixture
    def opener(self, shared_database: str) -> Opener:
        """Open the store on a database with the schema and without rows."""
        empty_tables(shared_database)
        return partial(open_sql, shared_database)

    @pytest.fixture(params=["no tables", "another schema"])
    def unready_opener(self, request: pytest.FixtureRequest, empty_database: str) -> Opener:
        """Open it on a database whose schema is missing, or of another release."""
        if request.param == "another schema":
            migrate.upgrade(empty_database, REPOSITORY_ROOT)
            change(empty_database, [sa.text("UPDATE alembic_version SET version_num = 'later'")])
        return partial(open_sql, empty_database)

    @pytest.fixture(params=["sqlite", "postgresql", "mysql", "mariadb"])
    def unreachable_opener(self, request: pytest.FixtureRequest) -> Iterator[Opener]:
        """Open it where there is no database."""
        if request.param == "sqlite":
            yield partial(open_sql, "sqlite:////dev/null/hunter2.db")
            return
        with closed_port() as port:
            place = f"hunter2:hunter2@{LOOPBACK}:{port}/rows"
            yield partial(open_sql, f"{request.param}://{place}")
