"""A silence is noticed, wherever the wait is: in the kernel, or in gevent's loop."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.socket
import pytest

from llm_api.runtime.deadlines import shut_down
from llm_api.runtime.receiving import Receiver, receiver_of

PAIRS = {"kernel": socket.socketpair, "loop": gevent.socket.socketpair}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """Connect two sockets, both of one kind."""
    near, far = PAIRS[request.param]()
    yield near, far
    near.close()
    far.close()


@pytest.fixture
def receiver(pair: tuple[Any, Any]) -> Iterator[Receiver]:
    """Receive from one of them."""
    made = receiver_of(pair[0], 0.05)
    yield made
    made.close()


def test_what_has_come_is_received_at_once(receiver: Receiver, pair: tuple[Any, Any]) -> None:
    for sent in (b"one", b"two", b"x" * 10_000):
        pair[1].sendall(sent)
        assert receiver.recv(65_536) == sent


def test_what_does_not_fit_is_received_next(receiver: Receiver, pair: tuple[Any, Any]) -> None:
    pair[1].sendall(b"Hello")

    assert [receiver.recv(2) for _ in range(3)] == [b"He", b"ll", b"o"]


def test_a_silence_is_noticed_again_and_again(receiver: Receiver, pair: tuple[Any, Any]) -> None:
    for _ in range(3):
        began_at = time.monotonic()
        with pytest.raises(TimeoutError):
            receiver.recv(10)
        assert time.monotonic() - began_at >= 0.045

    pair[1].sendall(b"late")

    assert receiver.recv(10) == b"late"


def test_only_waiting_is_a_silence(receiver: Receiver, pair: tuple[Any, Any]) -> None:
    for _ in range(3):
        gevent.sleep(0.06)
        pair[1].sendall(b"x")
        assert receiver.recv(10) == b"x"


def test_a_silence_can_be_bounded_anew(receiver: Receiver) -> None:
    receiver.bound_silence(0.2)
    began_at = time.monotonic()
    with pytest.raises(TimeoutError):
        receiver.recv(10)
    assert time.monotonic() - began_at >= 0.19

    receiver.bound_silence(0.01)

    with pytest.raises(TimeoutError):
        receiver.recv(10)


def test_the_end_of_the_connection_is_received(receiver: Receiver, pair: tuple[Any, Any]) -> None:
    pair[1].close()

    assert receiver.recv(10) == b""


def test_a_wait_in_the_loop_ends_when_its_socket_is_shut() -> None:
    near, far = gevent.socket.socketpair()
    receiver = receiver_of(near, 60)
    far.sendall(b"x")
    receiver.recv(10)  # from now on it waits first
    gevent.spawn_later(0.02, shut_down, near, socket.SHUT_RDWR)

    assert receiver.recv(10) == b""

    for one in (receiver, near, far):
        one.close()


def test_a_receiver_that_is_closed_looks_at_the_clock_no_more() -> None:
    near, far = gevent.socket.socketpair()
    receiver = receiver_of(near, 0.02)
    receiver.close()

    gevent.spawn_later(0.06, far.sendall, b"x")

    assert near.recv(10) == b"x"
    near.close()
    far.close()
