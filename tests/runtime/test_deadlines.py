"""Whoever waits on a socket is woken when the time is over or the client has left."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_api.runtime.deadlines import INTERVAL, Deadline, DeadlineWatcher, peek, shut_down
from tests.support.waiting import wait_until

CERTIFICATE = Path(__file__).parents[1] / "upstream" / "self_signed.pem"

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Make two connected sockets: ours, and the peer's."""
    ours, peer = socket.socketpair()
    ours.settimeout(20)
    with ours, peer:
        yield ours, peer


@pytest.fixture
def watch() -> Iterator[DeadlineWatcher]:
    """Make a watch that looks after nothing yet."""
    made = DeadlineWatcher()
    yield made
    made.close()


def watched(awaited: socket.socket, *, total: float = 60.0, gone: bool = False) -> Deadline:
    waiting = Deadline(total=total, is_disconnected=lambda: gone)
    waiting.watch_socket(awaited)
    return waiting


def test_what_may_go_on_waiting_is_left_alone(pair: Pair) -> None:
    ours, peer = pair
    waiting = watched(ours)

    waiting.check()

    peer.send(b"x")
    assert ours.recv(1) == b"x"
    assert (waiting.is_expired, waiting.is_client_gone) == (False, False)


def test_the_end_of_the_time_ends_the_reading(pair: Pair) -> None:
    ours, _ = pair
    waiting = watched(ours, total=0)

    waiting.check()

    assert ours.recv(1) == b""
    assert (waiting.is_expired, waiting.is_client_gone) == (True, False)


def test_a_client_that_left_ends_the_reading(pair: Pair) -> None:
    ours, _ = pair
    waiting = watched(ours, gone=True)

    waiting.check()

    assert ours.recv(1) == b""
    assert (waiting.is_expired, waiting.is_client_gone) == (False, True)


def test_the_end_of_the_process_ends_the_reading(pair: Pair) -> None:
    ours, _ = pair
    waiting = Deadline(total=60, must_end=lambda: True)
    waiting.watch_socket(ours)

    waiting.check()

    assert ours.recv(1) == b""
    assert (waiting.is_shut_down, waiting.is_expired) == (True, False)


def test_that_a_client_left_is_not_forgotten() -> None:
    answers = iter([True, False])
    waiting = Deadline(total=60, is_disconnected=lambda: next(answers))

    waiting.check()
    waiting.check()

    assert waiting.is_client_gone


def test_without_a_socket_only_the_fact_is_noted() -> None:
    waiting = Deadline(total=0)

    waiting.check()

    assert waiting.is_expired


def test_a_closed_socket_is_no_error(pair: Pair) -> None:
    ours, _ = pair
    ours.close()

    shut_down(ours, socket.SHUT_RD)


def test_the_remaining_time_shrinks_to_nothing() -> None:
    assert 59 < Deadline(total=60).remaining <= 60
    assert Deadline(total=-5).remaining == 0


def test_a_blocked_reader_is_woken_when_the_time_is_over(
    pair: Pair, watch: DeadlineWatcher
) -> None:
    ours, _ = pair
    started_at = time.monotonic()

    watch.add(watched(ours, total=0.1))

    assert ours.recv(1) == b""
    assert 0.1 <= time.monotonic() - started_at < 2


def test_a_blocked_tls_reader_is_woken(watch: DeadlineWatcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        accepting = pool.submit(accept_tls, listener)
        plain = socket.create_connection(listener.getsockname(), timeout=20)
        context = ssl.create_default_context(cafile=str(CERTIFICATE))
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as ours, accepting.result(20):
            watch.add(watched(ours, total=0.1))

            assert ours.recv(1) == b""


def accept_tls(listener: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context.wrap_socket(listener.accept()[0], server_side=True)


def test_what_was_removed_is_not_ended(pair: Pair, watch: DeadlineWatcher) -> None:
    ours, peer = pair
    removed = watched(ours, total=0.1)
    other_ours, other_peer = socket.socketpair()
    with other_ours, other_peer:
        watch.add(removed)
        watch.remove(removed)
        watch.add(watched(other_ours, total=0.2))

        assert other_ours.recv(1) == b""  # the watch has looked since then

    peer.send(b"x")
    assert ours.recv(1) == b"x"


def test_removing_what_is_not_watched_is_no_error(watch: DeadlineWatcher) -> None:
    watch.remove(Deadline(total=1))


def test_a_watch_that_had_nothing_to_do_goes_on(pair: Pair, watch: DeadlineWatcher) -> None:
    ours, _ = pair
    first = Deadline(total=0)
    watch.add(first)
    wait_until(lambda: first.is_expired, 20, "the watch has looked")
    watch.remove(first)
    time.sleep(2 * INTERVAL)

    watch.add(watched(ours, total=0))

    assert ours.recv(1) == b""


def test_a_closed_watch_has_no_thread(watch: DeadlineWatcher) -> None:
    before = set(threading.enumerate())
    watch.add(Deadline(total=60))

    watch.close()

    assert set(threading.enumerate()) <= before


def test_a_watch_has_no_thread_before_it_is_needed() -> None:
    before = threading.active_count()

    DeadlineWatcher()

    assert threading.active_count() == before


def test_a_watch_has_one_thread_however_many_it_watches(watch: DeadlineWatcher) -> None:
    before = threading.active_count()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: watch.add(Deadline(total=0)), range(64)))

    assert threading.active_count() == before + 1


def test_one_that_fails_does_not_end_the_watch_for_others(
    pair: Pair, watch: DeadlineWatcher
) -> None:
    ours, _ = pair
    ours.settimeout(3)

    def fail() -> bool:
        raise RuntimeError("is_disconnected broke")

    watch.add(Deadline(total=60, is_disconnected=fail))
    watch.add(watched(ours, total=0.5))

    assert ours.recv(1) == b""


def test_peek_sees_nothing_while_the_peer_is_silent(pair: Pair) -> None:
    ours, _ = pair

    assert peek(ours) is None


def test_peek_sees_what_came_and_leaves_it_there(pair: Pair) -> None:
    ours, peer = pair
    peer.send(b"xy")

    seen = peek(ours), peek(ours)

    assert seen == (b"x", b"x")
    assert ours.recv(2) == b"xy"


def test_peek_sees_that_the_peer_left(pair: Pair) -> None:
    ours, peer = pair
    peer.close()

    assert peek(ours) == b""


def test_peek_sees_that_the_peer_stopped_writing(pair: Pair) -> None:
    ours, peer = pair
    peer.shutdown(socket.SHUT_WR)

    assert peek(ours) == b""


def test_peek_sees_that_our_socket_is_closed(pair: Pair) -> None:
    ours, _ = pair
    ours.close()

    assert peek(ours) == b""


def test_peek_leaves_the_socket_open(pair: Pair) -> None:
    ours, peer = pair

    peek(ours)

    ours.send(b"x")
    assert peer.recv(1) == b"x"
