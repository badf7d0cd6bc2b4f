"""The SQL stores keep the contracts of usage, key and budget stores on every database."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from llm_api.domain.audit import Actor
from llm_api.storage import UsageStore
from llm_api.storage.key_store import KeyStore
from llm_api.storage.sql import migrate
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.keys import SqlKeyStore
from llm_api.storage.sql.partitioning import partition_usage
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.asking import DAY
from tests.storage.changing import empty_tables
from tests.storage.contract import StoreOpener, UsageStoreContract
from tests.storage.contract_budgets import Books, BooksOpener, BudgetStoreContract
from tests.storage.contract_keys import KeyOpener, KeyStoreContract
from tests.support.ports import LOOPBACK, closed_port
from tests.support.servers import PostgresServer
from tests.support.service import REPOSITORY_ROOT


def open_sql(url: str) -> UsageStore:
    """Open the store; for other processes, to which a closure cannot be sent."""
    return SqlUsageStore(make_engine(url))


def open_keys(url: str) -> KeyStore:
    """Open the store of keys."""
    return SqlKeyStore(make_engine(url))


def open_books(url: str) -> Books:
    """Open the store of budgets, and the usage rows beside it."""
    usage = SqlUsageStore(make_engine(url))
    return Books(SqlBudgets(usage.engine), usage)


class TestSqlUsageStore(UsageStoreContract):
    """Runs on a SQLite file, PostgreSQL and MariaDB."""

    @pytest.fixture
    def opener(self, shared_database: str) -> StoreOpener:
        """Open the store on a database with the schema and without rows."""
        empty_tables(shared_database)
        return partial(open_sql, shared_database)

    @pytest.fixture
    def unready_opener(self, unready_database: str) -> StoreOpener:
        """Open it on a database whose schema is missing, or of another release."""
        return partial(open_sql, unready_database)

    @pytest.fixture
    def unreachable_opener(self, unreachable_database: str) -> StoreOpener:
        """Open it where there is no database."""
        return partial(open_sql, unreachable_database)


@pytest.fixture(scope="module")
def partitioned(postgres: PostgresServer) -> str:
    """Name a database whose rows of the contract are in a month's partition."""
    url = postgres.new_database()
    migrate.upgrade(url, REPOSITORY_ROOT)
    partition_usage(url, DAY - timedelta(days=60), Actor("cli:maria", "maria"))
    return url


class TestPartitionedUsageStore(UsageStoreContract):
    """Runs on PostgreSQL with usage rows in partitions by months."""

    @pytest.fixture
    def opener(self, partitioned: str) -> StoreOpener:
        """Open the store without rows."""
        empty_tables(partitioned)
        return partial(open_sql, partitioned)

    @pytest.fixture
    def unready_opener(self, postgres: PostgresServer) -> StoreOpener:
        """Open it on a database whose schema is missing."""
        return partial(open_sql, postgres.new_database())

    @pytest.fixture
    def unreachable_opener(self) -> Iterator[StoreOpener]:
        """Open it where there is no database."""
        with closed_port() as port:
            yield partial(open_sql, f"postgresql://hunter2:hunter2@{LOOPBACK}:{port}/rows")


class TestSqlKeyStore(KeyStoreContract):
    """Runs on the same databases."""

    @pytest.fixture
    def opener(self, shared_database: str) -> KeyOpener:
        """Open the store on a database with the schema and without rows."""
        empty_tables(shared_database)
        return partial(open_keys, shared_database)

    @pytest.fixture
    def unready_opener(self, unready_database: str) -> KeyOpener:
        """Open it on a database whose schema is missing, or of another release."""
        return partial(open_keys, unready_database)

    @pytest.fixture
    def unreachable_opener(self, unreachable_database: str) -> KeyOpener:
        """Open it where there is no database."""
        return partial(open_keys, unreachable_database)


class TestSqlBudgets(BudgetStoreContract):
    """Runs on the same databases."""

    @pytest.fixture
    def opener(self, shared_database: str) -> BooksOpener:
        """Open the store on a database with the schema and without rows."""
        empty_tables(shared_database)
        return partial(open_books, shared_database)

    @pytest.fixture
    def unreachable_opener(self, unreachable_database: str) -> BooksOpener:
        """Open it where there is no database."""
        return partial(open_books, unreachable_database)
