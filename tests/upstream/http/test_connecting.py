"""Connecting ends within its time, whoever is silent: name server, address or TLS server."""

import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from urllib3.connection import HTTPConnection

from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream.faults import Fault
from llm_api.upstream.http import connecting
from llm_api.upstream.http.connecting import Connector, connection_class
from llm_api.upstream.http.resolver import Address, Resolver
from tests.support.ports import LOOPBACK, closed_port
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.upstream.asker import PATIENT, Asker, described
from tests.upstream.conftest import SELF_SIGNED

AskerOf = Callable[..., Asker]

LATE = (504, "connect_timeout", True)
UNKNOWN = (503, "upstream_dns", True)
HURRIED = replace(PATIENT, connect=0.5)
LONG = 15.0  # seconds; half of the total time-out, and many times the one for connecting
IPV6 = "::1"
UNIX_SOCKETS = Path("/proc/net/unix")
# The head of a TLS record of 16 kB, which a handshake can begin with.
RECORD = b"\x16\x03\x03\x3f\xff"


def connected(
    url: str, watch: DeadlineWatcher, addresses: list[Address], timeout: float, **options: Any
) -> HTTPConnection:
    """Connect to one of the addresses; raises Fault."""
    found = [(0, 0, 0, "", address) for address in addresses]
    pool = urllib3.PoolManager(**options).connection_from_url(url)
    pool.ConnectionCls = connection_class(pool.scheme, Resolver(lambda *_, **__: found))
    connector = Connector(watch)
    connection: Any = pool._new_conn()
    try:
        connector.connect(connection, timeout)
    except BaseException:
        connection.close()
        raise
    assert isinstance(connection, HTTPConnection)
    return connection


def fault_of(url: str, watch: DeadlineWatcher, addresses: list[Address], timeout: float) -> Fault:
    """Connect, and return the fault that must come."""
    with pytest.raises(Fault) as raised:
        connected(url, watch, addresses, timeout).close()
    return raised.value


@contextmanager
def full_address() -> Iterator[Address]:
    """Listen without taking any connection: the backlog is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server((LOOPBACK, 0), backlog=0))
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003  # socket's signature
            client.connect_ex(full.getsockname())
        yield full.getsockname()


@contextmanager
def serving(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[Address]:
    """Take connections, and treat each as told in a thread of its own until the end."""
    has_ended, threads = threading.Event(), list[threading.Thread]()

    def treat(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            behave(connection, has_ended)

    def accept() -> None:
        with suppress(OSError):  # the listener's end
            while True:
                connection = listener.accept()[0]
                threads.append(threading.Thread(target=treat, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server((LOOPBACK, 0)) as listener:
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        yield listener.getsockname()
        has_ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for thread in [acceptor, *threads]:
            thread.join(LONG)


def say_nothing(connection: socket.socket, has_ended: threading.Event) -> None:
    """Never answer the handshake, for as long as the client stays."""
    connection.settimeout(0.1)
    while not has_ended.is_set():
        with suppress(TimeoutError):
            if not connection.recv(65_536):
                return


def dribble(connection: socket.socket, has_ended: threading.Event) -> None:
    """Answer the handshake with a byte at a time."""
    connection.sendall(RECORD)
    while not has_ended.wait(0.05):
        connection.sendall(b"\x02")


def hang_up(connection: socket.socket, _: threading.Event) -> None:
    """End the connection after the client's hello."""
    connection.recv(65_536)


def shake_hands(connection: socket.socket, has_ended: threading.Event) -> None:
    """Go through with the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    with context.wrap_socket(connection, server_side=True) as secured:
        secured.sendall(b"hello")
        has_ended.wait()


def sockets() -> set[str]:
    """Return the open sockets of this process that are of a network, by the kernel's names.

    A worker of the tests may open files and pipes meanwhile for what else runs in it.
    """
    found = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208  # a Path for each is of no use
        with suppress(FileNotFoundError):  # that by which they are listed
            found.add(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115  # as above
    local = {f"socket:[{row.split()[6]}]" for row in UNIX_SOCKETS.read_text().splitlines()[1:]}
    return {name for name in found if name.startswith("socket:")} - local


def test_the_first_address_is_taken(watch: DeadlineWatcher, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream() as other:
        addresses = [(LOOPBACK, upstream.port), (LOOPBACK, other.port)]
        connected("http://model.example/v1", watch, addresses, 5).close()

        wait_until(lambda: upstream.connections, LONG, "the first is connected")
        assert other.connections == 0


def test_an_address_that_refuses_is_passed_over(
    watch: DeadlineWatcher, upstream: ScriptedUpstream
) -> None:
    good = (LOOPBACK, upstream.port)
    with closed_port() as port:
        connection = connected("http://model.example/v1", watch, [(LOOPBACK, port), good], 5)

    assert connection.sock.getpeername() == good
    connection.close()


def test_a_silent_address_leaves_time_for_the_others(
    watch: DeadlineWatcher, upstream: ScriptedUpstream
) -> None:
    good = (LOOPBACK, upstream.port)
    with full_address() as full:
        connection = connected("http://model.example/v1", watch, [full, good], 2)

    assert connection.sock.getpeername() == good
    connection.close()


def test_the_time_that_is_left_is_shared_by_the_addresses_that_are_left(
    watch: DeadlineWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[Address, float]] = []

    def refuse(address: Address, timeout: float, **_: Any) -> None:
        tried.append((address, timeout))
        raise ConnectionRefusedError

    monkeypatch.setattr(connecting, "create_connection", refuse)
    addresses = [("192.0.2.1", 80), ("192.0.2.2", 80), ("2001:db8::3", 80, 0, 0), ("192.0.2.4", 80)]

    fault_of("http://model.example/v1", watch, addresses, 600)

    assert [address for address, _ in tried] == [address[:2] for address in addresses]
    shares = [timeout for _, timeout in tried]
    # Nothing was waited for, so that the share of those that are left grows.
    assert all(
        fair - 10 < share <= fair for share, fair in zip(shares, (150, 200, 300, 600), strict=True)
    )


def test_silent_addresses_share_the_time(watch: DeadlineWatcher) -> None:
    began_at = time.monotonic()
    with full_address() as full:
        fault = fault_of("http://model.example/v1", watch, [full] * 20, 0.5)

    assert described(fault.error) == LATE
    assert 0.4 <= time.monotonic() - began_at < LONG / 2


@pytest.mark.parametrize("count", [1, 2])
def test_where_every_address_refuses_nobody_is_there(watch: DeadlineWatcher, count: int) -> None:
    with closed_port() as port:
        fault = fault_of("http://model.example/v1", watch, [(LOOPBACK, port)] * count, 5)

    assert described(fault.error) == (503, "upstream_unreachable", True)


def test_a_name_without_an_address_is_not_known(watch: DeadlineWatcher) -> None:
    assert described(fault_of("http://model.example/v1", watch, [], 5).error) == UNKNOWN


def test_an_address_of_version_6_can_stand_in_the_url(watch: DeadlineWatcher) -> None:
    try:
        listener = socket.create_server((IPV6, 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        port = listener.getsockname()[1]
        connection = connected(f"http://[{IPV6}]:{port}/v1", watch, [("192.0.2.1", 9)], 5)

        assert connection.sock.getpeername()[:2] == (IPV6, port)
        connection.close()


def test_a_good_handshake_leaves_a_connection_and_nothing_else(watch: DeadlineWatcher) -> None:
    with serving(shake_hands) as address:
        before = sockets()
        connection: Any = connected(
            f"https://{LOOPBACK}:{address[1]}/v1", watch, [], 5, ca_certs=str(SELF_SIGNED)
        )
        secured: ssl.SSLSocket = connection.sock

        assert secured.recv(5) == b"hello"
        assert connection.connecting is None
        assert watch.watched == 0
        # One descriptor of ours, and one of the server.
        assert len(sockets() - before) <= 2
        connection.close()


@pytest.mark.parametrize("behave", [say_nothing, dribble])
def test_a_handshake_that_does_not_end_is_given_up(
    asker_of: AskerOf, behave: Callable[[socket.socket, threading.Event], None]
) -> None:
    began_at = time.monotonic()
    with serving(behave) as address:
        asker = asker_of(f"https://{LOOPBACK}:{address[1]}/v1", timeouts=HURRIED)

        error = asker.fail()

        assert time.monotonic() - began_at < LONG
        assert described(error) == LATE
        assert asker.call is not None
        assert [attempt.reason for attempt in asker.call.attempts] == ["connect_timeout"] * 2


@pytest.mark.parametrize(("connect", "total", "attempts"), [(0.5, 30, 2), (30, 0.5, 1)])
@pytest.mark.parametrize("behave", [say_nothing, dribble])
def test_a_handshake_that_does_not_end_is_given_up_under_gevent(
    behave: Callable[[socket.socket, threading.Event], None],
    connect: float,
    total: float,
    attempts: int,
) -> None:
    """Gevent's sockets count their time-out from one byte to the next."""
    with serving(behave) as address:
        url = f"https://{LOOPBACK}:{address[1]}/v1"
        command = ["-m", "tests.upstream.gevent_asker", url, str(connect), str(total)]
        result = subprocess.run(
            [sys.executable, *command],
            cwd=REPOSITORY_ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    reason, *tries = result.stdout.split()
    assert len(tries) == attempts
    assert {reason, *tries} <= {"connect_timeout", "upstream_timeout"}


def test_a_handshake_ends_with_its_call(asker_of: AskerOf) -> None:
    with serving(dribble) as address:
        timeouts = replace(PATIENT, connect=30.0, total=0.5)
        asker = asker_of(f"https://{LOOPBACK}:{address[1]}/v1", timeouts=timeouts)
        began_at = time.monotonic()

        error = asker.fail()

    assert time.monotonic() - began_at < LONG
    assert error.status == 504
    assert asker.attempts == 1


def test_a_handshake_that_begins_too_late_is_given_up(
    watch: DeadlineWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker without time for it finds the socket shut, and ssl leaves the handshake out then."""
    wrap = urllib3.connection._ssl_wrap_socket_and_match_hostname

    def wrap_late(*, sock: socket.socket, **options: Any) -> Any:
        wait_until(lambda: not is_connected(sock), LONG, "the watch has shut the socket")
        return wrap(sock=sock, **options)

    monkeypatch.setattr(urllib3.connection, "_ssl_wrap_socket_and_match_hostname", wrap_late)
    with serving(say_nothing) as address:
        fault = fault_of(f"https://{LOOPBACK}:{address[1]}/v1", watch, [], 0.2)

    assert described(fault.error) == LATE


def is_connected(sock: socket.socket) -> bool:
    """Tell whether a socket has a peer still."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def test_a_server_that_hangs_up_in_the_handshake_is_asked_again(asker_of: AskerOf) -> None:
    with serving(hang_up) as address:
        asker = asker_of(f"https://{LOOPBACK}:{address[1]}/v1")

        error = asker.fail()

    assert error.retryable
    assert asker.attempts == 2


@pytest.mark.parametrize("kind", ["silent", "dribbling", "refusing", "full", "hanging up"])
def test_no_socket_is_left_behind(watch: DeadlineWatcher, kind: str) -> None:
    with ExitStack() as stack:
        if kind == "refusing":
            address: Address = (LOOPBACK, stack.enter_context(closed_port()))
        elif kind == "full":
            address = stack.enter_context(full_address())
        else:
            behave = {"silent": say_nothing, "dribbling": dribble, "hanging up": hang_up}[kind]
            address = stack.enter_context(serving(behave))
        url = f"https://{LOOPBACK}:{address[1]}/v1"
        fault_of(url, watch, [], 0.3)  # what is made once is there now
        before = sockets()

        for _ in range(4):
            fault_of(url, watch, [], 0.3)

        wait_until(lambda: sockets() <= before, LONG, "all sockets are closed")
        assert watch.watched == 0


@pytest.fixture
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the name server be silent for the length of the test; return the names asked for."""
    asked, speaks, ask = list[str](), threading.Event(), socket.getaddrinfo

    def look_up(host: str, *rest: Any, **options: Any) -> Any:
        if not host.endswith(".example"):
            return ask(host, *rest, **options)
        asked.append(host)
        speaks.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "at last")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield asked
    speaks.set()
    wait_until(
        lambda: "look-up" not in {thread.name for thread in threading.enumerate()},
        LONG,
        "every look-up has ended",
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_name_server_ends_a_call_in_time(
    asker_of: AskerOf, silent_names: list[str], scheme: str
) -> None:
    asker = asker_of(f"{scheme}://silent.example/v1", timeouts=HURRIED)
    began_at = time.monotonic()

    error = asker.fail()

    assert time.monotonic() - began_at < LONG
    assert described(error) == UNKNOWN
    # The second attempt waits for the look-up of the first.
    assert (asker.attempts, silent_names) == (2, ["silent.example"])


def test_a_name_that_cannot_be_written_is_not_known(asker_of: AskerOf) -> None:
    asker = asker_of(f"https://{'a' * 64}.example/v1")

    assert described(asker.fail()) == UNKNOWN
