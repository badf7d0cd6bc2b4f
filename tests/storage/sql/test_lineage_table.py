"""The SQL store keeps the contract of stores of lineages on every database."""

from contextlib import closing
from functools import partial

import pytest

from llm_api.storage import RefusedError
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.lineage_table import SqlLineages
from tests.storage.changing import empty_tables
from tests.storage.contract_lineage import LineageOpener, LineageStoreContract, happened


class ClosedLineages(SqlLineages):
    """A store that closes its engine."""

    def __init__(self, url: str) -> None:
        """Open the database."""
        self.engine = make_engine(url)
        super().__init__(self.engine)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


class TestSqlLineages(LineageStoreContract):
    """Runs on a SQLite file, PostgreSQL and MariaDB."""

    @pytest.fixture
    def opener(self, shared_database: str) -> LineageOpener:
        """Open the store on a database with the schema and without rows."""
        empty_tables(shared_database)
        return partial(ClosedLineages, shared_database)

    @pytest.fixture
    def unreachable_opener(self, unreachable_database: str) -> LineageOpener:
        """Open it where there is no database."""
        return partial(ClosedLineages, unreachable_database)


def test_what_no_database_takes_is_refused(shared_database: str) -> None:
    store = ClosedLineages(shared_database)

    with closing(store), pytest.raises(RefusedError):
        store.add([happened("ev_refused", kind=None)])
