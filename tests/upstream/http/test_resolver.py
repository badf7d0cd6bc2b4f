"""Names are looked up without waiting longer than a call can, and once for all who wait."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llm_api.upstream.http.resolver import Address, Resolver
from tests.support.waiting import wait_until

HOST, PORT = "model.example", 443
FIRST = ("192.0.2.1", PORT)
SECOND = ("2001:db8::2", PORT, 0, 0)
LONG = 30.0


class NameServer:
    """A name server that speaks when it is told to."""

    def __init__(self) -> None:
        """Answer at once, until `silence` is called."""
        self.asked: list[tuple[Any, ...]] = []
        self.addresses: list[Address] = [FIRST, SECOND]
        self.error: Exception | None = None
        self.speaks = threading.Event()
        self.speaks.set()

    def look_up(self, *asked: Any, **options: Any) -> list[tuple[Any, ...]]:
        """Answer as `getaddrinfo` does."""
        self.asked.append((*asked, options))
        self.speaks.wait(LONG)
        if self.error is not None:
            raise self.error
        return [(0, 0, 0, "", address) for address in self.addresses]


@pytest.fixture
def server() -> Iterator[NameServer]:
    """Run a name server; no look-up outlives the test."""
    server = NameServer()
    yield server
    server.speaks.set()
    wait_until(lambda: not look_ups(), LONG, "every look-up has ended")


@pytest.fixture
def resolver(server: NameServer) -> Resolver:
    """Ask that server."""
    return Resolver(server.look_up)


def look_ups() -> list[threading.Thread]:
    """Find the threads that look up names."""
    return [thread for thread in threading.enumerate() if thread.name == "look-up"]


def test_the_addresses_come_in_the_order_of_the_system(
    resolver: Resolver, server: NameServer
) -> None:
    assert resolver.addresses(HOST, PORT, LONG) == [FIRST, SECOND]
    assert server.asked == [(HOST, PORT, {"type": socket.SOCK_STREAM})]


def test_the_system_is_asked_unless_a_test_says_otherwise() -> None:
    found = Resolver().addresses("localhost", PORT, LONG)

    assert {address[:2] for address in found} <= {("127.0.0.1", PORT), ("::1", PORT)}
    assert found


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7", "::1", "[::1]", "[2001:db8::7]"])
def test_an_address_is_not_looked_up(resolver: Resolver, server: NameServer, host: str) -> None:
    server.speaks.clear()

    assert resolver.addresses(host, PORT, 0) == [(host.strip("[]"), PORT)]
    assert server.asked == []


def test_a_silent_name_server_is_not_waited_for(resolver: Resolver, server: NameServer) -> None:
    server.speaks.clear()
    began_at = time.monotonic()

    with pytest.raises(socket.gaierror) as raised:
        resolver.addresses(HOST, PORT, 0.2)

    assert raised.value.errno == socket.EAI_AGAIN
    assert 0.2 <= time.monotonic() - began_at < LONG / 2


def test_all_who_wait_for_a_name_take_one_look_up(resolver: Resolver, server: NameServer) -> None:
    server.speaks.clear()

    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(resolver.addresses, HOST, PORT, LONG) for _ in range(20)]
        wait_until(lambda: server.asked, LONG, "the server is asked")
        assert len(look_ups()) == 1
        server.speaks.set()
        found = [one.result() for one in waiting]

    assert found == [[FIRST, SECOND]] * 20
    # Whoever came after the answer has asked for a new one; nobody asked for himself.
    assert len(server.asked) < 20


def test_who_comes_after_a_time_out_joins_the_look_up_that_goes_on(
    resolver: Resolver, server: NameServer
) -> None:
    server.speaks.clear()
    for _ in range(5):
        with pytest.raises(socket.gaierror):
            resolver.addresses(HOST, PORT, 0.01)
    wait_until(lambda: server.asked, LONG, "the server is asked")
    assert (len(server.asked), len(look_ups())) == (1, 1)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(resolver.addresses, HOST, PORT, LONG)
        server.speaks.set()
        assert late.result() == [FIRST, SECOND]


def test_names_do_not_wait_for_each_other(resolver: Resolver, server: NameServer) -> None:
    server.speaks.clear()
    for host in ("a.example", "b.example", "c.example"):
        with pytest.raises(socket.gaierror):
            resolver.addresses(host, PORT, 0.01)

    wait_until(lambda: len(server.asked) == 3, LONG, "each is asked for")
    assert {asked[0] for asked in server.asked} == {"a.example", "b.example", "c.example"}


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "no such name"),
        socket.gaierror(socket.EAI_AGAIN, "try again"),
        OSError(24, "too many open files"),
        UnicodeError("label too long"),
    ],
    ids=repr,
)
def test_a_failure_is_told_to_all_and_not_remembered(
    resolver: Resolver, server: NameServer, error: Exception
) -> None:
    server.error = error
    server.speaks.clear()

    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(resolver.addresses, HOST, PORT, LONG) for _ in range(5)]
        wait_until(lambda: server.asked, LONG, "the server is asked")
        server.speaks.set()
        for one in waiting:
            with pytest.raises(socket.gaierror):
                one.result()
    server.error = None

    assert resolver.addresses(HOST, PORT, LONG) == [FIRST, SECOND]


def test_an_answer_is_not_remembered(resolver: Resolver, server: NameServer) -> None:
    resolver.addresses(HOST, PORT, LONG)
    server.addresses = [SECOND]

    assert resolver.addresses(HOST, PORT, LONG) == [SECOND]


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_a_name_that_cannot_be_written_is_not_known(host: str) -> None:
    with pytest.raises(socket.gaierror):
        Resolver().addresses(host, PORT, LONG)
