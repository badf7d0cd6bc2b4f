"""Threads beside gevent's loop get their connections, and give them back."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.pool import ThreadsPool
from tests.support.service import REPOSITORY_ROOT

MOST, MOST_IDLE = 15, 5


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Connect to a new SQLite file."""
    made = make_engine(f"sqlite:///{tmp_path / 'new.db'}")
    yield made
    made.dispose()


def lent(engine: Engine) -> int:
    """Count the connections that are lent."""
    assert isinstance(engine.pool, ThreadsPool)
    return engine.pool.checkedout()


def opened(engine: Engine) -> list[object]:
    """Return a list that grows with each connection that is opened."""
    found: list[object] = []
    sa.event.listen(engine, "connect", lambda connection, _: found.append(connection))
    return found


def test_threads_that_are_the_first_to_ask_are_all_answered(empty_database: str) -> None:
    command = [sys.executable, "-m", "tests.storage.beside_the_loop", empty_database]

    found = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["1"] * 20


def test_a_connection_is_used_again(engine: Engine) -> None:
    connections = opened(engine)

    for _ in range(3):
        with engine.connect():
            assert lent(engine) == 1

    assert len(connections) == 1
    assert lent(engine) == 0


def test_who_finds_all_connections_lent_waits_for_one(engine: Engine) -> None:
    connections = opened(engine)
    lent_ones = [engine.connect() for _ in range(MOST)]

    with ThreadPoolExecutor(1) as pool:
        waits = threading.Event()

        def take_and_close() -> None:
            waits.set()
            engine.connect().close()

        taking = pool.submit(take_and_close)
        waits.wait()
        assert not taking.done()
        lent_ones.pop().close()
        taking.result()

    assert len(connections) == MOST
    close(lent_ones)


def close(connections: list[Connection]) -> None:
    """Give them back."""
    for connection in connections:
        connection.close()


def test_of_those_that_come_back_a_few_are_kept(engine: Engine) -> None:
    connections = opened(engine)
    close([engine.connect() for _ in range(MOST)])

    close([engine.connect() for _ in range(MOST)])

    assert len(connections) == MOST + MOST - MOST_IDLE


def test_a_place_is_free_again_after_a_failure_to_connect(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}")  # a folder, which is no database

    for _ in range(MOST + 1):
        with pytest.raises(sa.exc.OperationalError, match="unable to open"):
            engine.connect()

    assert lent(engine) == 0


def test_a_disposed_engine_connects_anew(engine: Engine) -> None:
    connections = opened(engine)
    engine.connect().close()

    engine.dispose()

    engine.connect().close()
    assert len(connections) == 2
