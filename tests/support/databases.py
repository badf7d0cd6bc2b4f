"""Databases for the storage tests: a SQLite file, a real PostgreSQL and a real MariaDB."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.changing import change
from tests.support.leftovers import LastingFolder
from tests.support.mariadb import MariaDbServer, missing_programs
from tests.support.ports import LOOPBACK, closed_port
from tests.support.servers import PostgresServer, missing_wheel
from tests.support.service import REPOSITORY_ROOT

DATABASES = ["sqlite", "postgresql", "mariadb"]


@pytest.fixture(scope="session")
def postgres(lasting_folder: LastingFolder) -> Iterator[PostgresServer]:
    """Run PostgreSQL."""
    if reason := missing_wheel():
        pytest.skip(reason)
    with PostgresServer(lasting_folder("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(lasting_folder: LastingFolder) -> Iterator[MariaDbServer]:
    """Run MariaDB."""
    if reason := missing_programs():
        pytest.skip(reason)
    with MariaDbServer(lasting_folder("mariadb")) as server:
        yield server


def _new_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder / 'usage.db'}"
    name = {"postgresql": "postgres", "mariadb": "mariadb"}[kind]
    server: PostgresServer | MariaDbServer = request.getfixturevalue(name)
    return server.new_database()


@pytest.fixture(params=DATABASES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a database without tables, one of each kind."""
    return _new_database(request.param, request, tmp_path)


@pytest.fixture(scope="module", params=DATABASES)
def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Name a database with the schema for all tests of a file, which empty it themselves."""
    url = _new_database(request.param, request, tmp_path_factory.mktemp(request.param))
    migrate.upgrade(url, REPOSITORY_ROOT)
    return url


@pytest.fixture
def database(empty_database: str) -> str:
    """Name a database with the schema, one of each kind."""
    migrate.upgrade(empty_database, REPOSITORY_ROOT)
    return empty_database


@pytest.fixture(params=["no tables", "another schema"])
def unready_database(request: pytest.FixtureRequest, empty_database: str) -> str:
    """Name a database whose schema is missing, or of another release."""
    if request.param == "another schema":
        migrate.upgrade(empty_database, REPOSITORY_ROOT)
        change(empty_database, [sa.text("UPDATE alembic_version SET version_num = 'later'")])
    return empty_database


@pytest.fixture(params=["sqlite", "postgresql", "mysql", "mariadb"])
def unreachable_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name a database that is not there."""
    if request.param == "sqlite":
        yield "sqlite:////dev/null/hunter2.db"
        return
    with closed_port() as port:
        yield f"{request.param}://hunter2:hunter2@{LOOPBACK}:{port}/rows"


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """Name a SQLite file with the schema."""
    url = f"sqlite:///{tmp_path / 'usage.db'}"
    migrate.upgrade(url, REPOSITORY_ROOT)
    return url


@pytest.fixture
def mariadb_database(mariadb: MariaDbServer) -> str:
    """Name a database of MariaDB with the schema."""
    url = mariadb.new_database()
    migrate.upgrade(url, REPOSITORY_ROOT)
    return url


@pytest.fixture
def store(database: str) -> Iterator[SqlUsageStore]:
    """Open the store on a database with the schema, one of each kind."""
    opened = SqlUsageStore(make_engine(database))
    yield opened
    opened.close()
