"""Databases and services for the ledger's tests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.checkout import fast_upstream, own_service
from tests.support.schema import give_schema
from tests.support.servers import PostgresServer, missing_wheel
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

Prepare = Callable[..., Service]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run PostgreSQL, which a test may stop and must start again."""
    if reason := missing_wheel():
        pytest.skip(reason)
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a database with the schema, one of each kind."""
    url = f"sqlite:///{tmp_path / 'usage.db'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
    give_schema(url)
    return url


@pytest.fixture
def store(database: str) -> Iterator[SqlUsageStore]:
    """Open the store on that database."""
    opened = SqlUsageStore(make_engine(database))
    yield opened
    opened.close()


@pytest.fixture
def prepare(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[Prepare]:
    """Prepare services on the scripted upstream; what a test leaves open is closed after it."""
    with ExitStack() as stack:

        def make(env: Mapping[str, str], *, starts: bool = True) -> Service:
            settings = {**fast_upstream(upstream.url), "RATE_LIMIT": "1000000/minute", **env}
            service = own_service(tmp_path, settings)
            return stack.enter_context(service) if starts else service

        yield make
