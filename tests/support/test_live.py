"""Answers are read as they come in, and upstreams can be steered while they answer."""

import socket
from collections.abc import Iterator

import pytest

from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.paced import Flood, Gated
from tests.support.ports import LOOPBACK
from tests.support.raw import request_bytes
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import TruncatedMessageError, message_bytes

ASKED = request_bytes("POST", "/v1/chat/completions", [("Content-Length", "0")])
EVENTS = [b"data: 1\n\n", b"data: 2\n\n"]


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """Run an upstream."""
    with ScriptedUpstream() as server:
        yield server


def ask(upstream: ScriptedUpstream, *, receive_buffer: int | None = None) -> LiveAnswer:
    """Ask for whatever is scripted."""
    return LiveAnswer((LOOPBACK, upstream.port), ASKED, receive_buffer=receive_buffer)


def test_an_event_can_be_read_before_the_next_is_sent(upstream: ScriptedUpstream) -> None:
    reply = Gated(EVENTS)
    upstream.script(reply)

    with ask(upstream) as answer:
        reply.let_go()
        assert (answer.status, answer.header("content-type")) == (200, "text/event-stream")
        assert answer.read_event() == b"1"
        reply.let_go()
        assert answer.read_events() == [b"2"]
        assert answer.read_piece() == b""


def test_a_gated_upstream_notices_that_its_client_left(upstream: ScriptedUpstream) -> None:
    upstream.script(Gated(EVENTS))

    with ask(upstream):
        wait_until(lambda: upstream.requests, 20, "the request is read")

    wait_until(lambda: upstream.open_connections == 0, 20, "the upstream closes, too")


def test_lines_are_put_together_from_pieces(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.sse([b": a", b" comment\ndata", b": 1\n\n"], done=False))

    with ask(upstream) as answer:
        assert answer.read_line() == b": a comment\n"
        assert answer.read_event() == b"1"
        assert answer.read_event() == b""


@pytest.mark.parametrize("stream", [b"data: 1\ndata: 2\n\n", b"data:1\n\n", b"id: 1\n\n"])
def test_what_not_every_sdk_reads_is_no_event(upstream: ScriptedUpstream, stream: bytes) -> None:
    upstream.script(replies.sse([stream], done=False))

    with ask(upstream) as answer, pytest.raises(ValueError, match="no event"):
        answer.read_event()


def test_a_body_of_known_length_is_one_piece(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.json_reply(200, {"a": 1}))

    with ask(upstream) as answer:
        assert answer.read_piece() == b'{"a": 1}'
        assert answer.read_piece() == b""


def test_a_body_without_length_ends_with_the_connection(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.raw_reply(message_bytes("HTTP/1.0 200 OK", [], b"data: 1\n\nrest\n")))

    with ask(upstream) as answer:
        assert answer.headers == {}
        assert answer.read_event() == b"1"
        assert answer.read_body() == b"rest\n"
        assert answer.closes()


@pytest.mark.parametrize("end", [[], [b"data: ha"]])
def test_a_cut_body_is_told_from_a_whole_one(
    upstream: ScriptedUpstream, end: list[replies.Event]
) -> None:
    upstream.script(replies.sse([EVENTS[0], *end], done=False, ending="close"))

    with ask(upstream) as answer:
        assert answer.read_event() == b"1"
        with pytest.raises(TruncatedMessageError):
            answer.read_event()


def test_a_body_that_ends_within_a_line_is_cut(upstream: ScriptedUpstream) -> None:
    upstream.script(replies.sse([b"data: ha"], done=False))

    with ask(upstream) as answer, pytest.raises(TruncatedMessageError):
        answer.read_event()


def test_a_client_can_say_more() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        with LiveAnswer(listener.getsockname(), ASKED) as answer:
            answer.say(b"more")

        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as reader:
            assert reader.read() == ASKED + b"more"


def test_a_client_can_leave_with_a_reset() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        answer = LiveAnswer(listener.getsockname(), ASKED)
        connection, _ = listener.accept()
        answer.leave(with_reset=True)

        with connection:
            assert connection.recv(len(ASKED), socket.MSG_WAITALL) == ASKED
            with pytest.raises(ConnectionResetError):
                connection.recv(1)


def test_a_flood_is_held_up_by_a_client_that_does_not_read(upstream: ScriptedUpstream) -> None:
    reply = Flood(b"x" * 65_536, 1_000, opening=b"data: 1\n\n", ending=b"\n")
    upstream.script(reply)

    with ask(upstream, receive_buffer=4096) as answer:
        assert answer.read_event() == b"1"
        assert not reply.is_over.wait(0.5)

    assert reply.is_over.wait(20)
    assert 0 < reply.sent_bytes < 1_000 * 65_536


def test_a_flood_comes_to_its_end(upstream: ScriptedUpstream) -> None:
    reply = Flood(b"x", 1_000, opening=b"<", ending=b">")
    upstream.script(reply)

    with ask(upstream) as answer:
        assert answer.read_body() == b"<" + b"x" * 1_000 + b">"
    assert reply.sent_bytes == 1_000
