"""A client's wait for its next request ends in time, and never in the middle of one."""

import socket
from collections.abc import Iterator

import gevent
import pytest

from llm_api.server import connections
from llm_api.server.connections import Connection, end_wait


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two sockets: the server's end and the client's."""
    server, client = socket.socketpair()
    with server, client:
        yield server, client


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Set the time by hand."""
    now = [100.0]
    monkeypatch.setattr("llm_api.server.connections.time.monotonic", lambda: now[0])
    return now


def test_a_wait_lasts_as_long_as_it_may(
    clock: list[float], pair: tuple[socket.socket, socket.socket]
) -> None:
    connection = Connection(pair[0])

    assert not connection.has_waited(0)  # it does not wait yet
    with connection:
        clock[0] += 74.9
        assert not connection.has_waited(75)
        clock[0] += 0.1
        assert connection.has_waited(75)
    assert not connection.has_waited(75)


def test_a_connection_with_a_request_may_not_end(
    clock: list[float], pair: tuple[socket.socket, socket.socket]
) -> None:
    server, client = pair
    connection = Connection(server)
    with connection:
        assert not connection.may_end()  # it is new
        clock[0] += connections.LAST_CALLS_S
        assert connection.may_end()
        client.send(b"POST")
        assert not connection.may_end()
    assert not connection.may_end()


def test_the_end_of_a_wait_is_quiet(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(pair[0])
    ended: list[str] = []

    def wait() -> None:
        with connection:
            gevent.sleep(60)
        ended.append("quietly")

    waiting = gevent.spawn(wait)
    gevent.sleep(0)
    end = (waiting, connection, connection.waits_since, Connection.may_end)

    gevent.get_hub().loop.run_callback(end_wait, *end)
    gevent.sleep(0)
    assert not ended  # it is new: a request may be on its way

    gevent.get_hub().loop.run_callback(end_wait, *end[:3], lambda _: True)
    waiting.join(5)
    assert ended == ["quietly"]


def test_only_the_wait_that_was_meant_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(pair[0])

    def wait() -> str:
        with connection:
            gevent.sleep(0.01)
        return "went on"

    waiting = gevent.spawn(wait)
    gevent.sleep(0)
    of_another = connection.waits_since - 1

    gevent.get_hub().loop.run_callback(end_wait, waiting, connection, of_another, lambda _: True)

    assert waiting.get(timeout=5) == "went on"
