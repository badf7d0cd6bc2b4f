"""G1 and G2: PostgreSQL goes away, or is silent, while calls are made."""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest
import sqlalchemy as sa

from tests.ledger.load import all_are_kept, call, load_on
from tests.storage.checkout import fast_upstream, own_service
from tests.support.servers import PostgresServer
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

OUTAGE_S = 8.0  # longer than the store's own time-out, 5 s
Outage = Callable[[PostgresServer, str], AbstractContextManager[None]]
WAITS = "usage rows wait for the database"


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Service]:
    """Run the service on PostgreSQL, with two workers: all tests of the module lean on it."""
    env = {
        "DATABASE_URL": postgres.new_database(),
        "WEB_CONCURRENCY": "2",
        "RATE_LIMIT": "1000000/minute",
    }
    directory = tmp_path_factory.mktemp("outages")
    with (
        ScriptedUpstream() as upstream,
        own_service(directory, {**fast_upstream(upstream.url), **env}) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def answered() -> list[str]:
    """Keep the ids of all calls that the service of the module has answered."""
    return []


@contextmanager
def stopped(postgres: PostgresServer, _url: str) -> Iterator[None]:
    """Stop the server for the block: connections are refused."""
    postgres.stop()
    yield
    postgres.start()


@contextmanager
def frozen(postgres: PostgresServer, _url: str) -> Iterator[None]:
    """Freeze the server for the block: it accepts and is silent."""
    postgres.freeze()
    yield
    postgres.thaw()


@contextmanager
def locked(_postgres: PostgresServer, url: str) -> Iterator[None]:
    """Hold the lock on the table for the block."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with closing(engine.connect()) as connection:
        connection.execute(sa.text("LOCK TABLE usage IN ACCESS EXCLUSIVE MODE"))
        yield
        connection.rollback()


def status_of(service: Service, path: str) -> int | None:
    """Ask for a page; None where no answer comes in a time that no probe would wait."""
    connection = http.client.HTTPConnection(*service.address, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except TimeoutError:
        return None
    finally:
        connection.close()


@pytest.mark.parametrize("outage", [stopped, frozen, locked], ids=["g1", "g2 silent", "g2 locked"])
def test_no_call_notices_that_the_database_is_away(
    service: Service, answered: list[str], postgres: PostgresServer, outage: Outage
) -> None:
    log_before = len(service.log())

    with load_on(service) as load:
        with outage(postgres, service.env["DATABASE_URL"]):
            before = len(load.ids)
            time.sleep(OUTAGE_S)
            assert len(load.ids) > before
        load.wait_for(5)

    answered += load.ids
    all_are_kept(service, answered)
    log = service.log()[log_before:]
    assert "Traceback" not in log
    if outage is not frozen:  # a silent one that speaks again has only been slow
        assert WAITS in log


def test_g2_a_database_that_is_silent_for_ever_holds_no_one_who_asks(
    service: Service, answered: list[str], postgres: PostgresServer
) -> None:
    answered.append(call(service))
    all_are_kept(service, answered)
    assert status_of(service, "/api/v1/usage") == 200  # its connection is open, and kept

    postgres.freeze()
    try:
        statuses = [status_of(service, path) for path in ("/readyz", "/api/v1/usage", "/healthz")]
    finally:
        postgres.thaw()

    assert statuses == [503, 503, 200]
