"""The MariaDB of the tests keeps its promises."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from tests.support.mariadb import MariaDbServer, missing_programs
from tests.support.ports import LOOPBACK

pytestmark = pytest.mark.skipif(bool(missing_programs()), reason=missing_programs())


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbServer]:
    """Run MariaDB."""
    with MariaDbServer(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


def run_sql(url: str, statement: str) -> list[Any]:
    """Run a statement, commit, and return the first column of what it found."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return list(result.scalars()) if result.returns_rows else []


def test_databases_are_apart(mariadb: MariaDbServer) -> None:
    first, second = mariadb.new_database(), mariadb.new_database()

    run_sql(first, "CREATE TABLE t (n INTEGER)")

    assert run_sql(first, "SHOW TABLES") == ["t"]
    assert run_sql(second, "SHOW TABLES") == []


def test_a_stranger_is_refused(mariadb: MariaDbServer) -> None:
    stranger = make_url(mariadb.url).set(password="")

    with pytest.raises(Exception, match="Access denied"):
        run_sql(stranger.render_as_string(hide_password=False), "SELECT 1")


def test_a_user_has_the_rights_it_was_given(mariadb: MariaDbServer) -> None:
    url = mariadb.new_database()
    run_sql(url, "CREATE TABLE t (n INTEGER)")
    reader = mariadb.new_user(url, "SELECT")

    assert run_sql(reader, "SELECT n FROM t") == []
    with pytest.raises(Exception, match="command denied"):
        run_sql(reader, "INSERT INTO t VALUES (1)")


def test_a_restarted_server_has_kept_everything(mariadb: MariaDbServer) -> None:
    url = mariadb.new_database()
    run_sql(url, "CREATE TABLE t AS SELECT 7 AS n")

    mariadb.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, mariadb.port), timeout=5)
    mariadb.start()

    assert run_sql(url, "SELECT n FROM t") == [7]


def test_a_frozen_server_accepts_and_is_silent(mariadb: MariaDbServer) -> None:
    mariadb.freeze()

    with socket.create_connection((LOOPBACK, mariadb.port), timeout=0.2) as connection:
        with pytest.raises(TimeoutError):
            connection.recv(1)
        mariadb.thaw()
        connection.settimeout(5)

        assert connection.recv(1) != b""


def test_two_servers_run_side_by_side_and_leave_nothing(
    tmp_path: Path, mariadb: MariaDbServer
) -> None:
    with MariaDbServer(tmp_path) as other:
        assert other.port != mariadb.port
        assert run_sql(other.url, "SELECT 1") == run_sql(mariadb.url, "SELECT 1") == [1]
        home = other.home

    assert not home.exists()
