"""The head of an answer is read as http.client reads it, or refused where it can be read twice."""

import http.client
import io
import socket
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_api.upstream.http import framing
from llm_api.upstream.http.framing import (
    MAX_HEAD_BYTES,
    MalformedHead,
    ResponseHead,
    parse_head,
    receive_head,
)

OK = b"HTTP/1.1 200 OK\r\n"
# Most are right, so that most of a head is; of the others each can be the one that is not.
LENGTHS = [b"5", b"0", b"05", b"-5", b"+5", b"5, 5", b"5 5", b"1_0", b"", b"\xb2", b"5" * 19]
CODINGS = [b"chunked", b"Chunked", b"gzip, chunked", b"identity", b"chunked, chunked", b"x\0y"]
CONNECTIONS = [b"close", b"keep-alive", b"Keep-Alive, close", b"gzip", b"a\tb"]
NAMES = [b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"X", b"Server"]
ODD_NAMES = [b"Content-Length ", b" Content-Length", b"", b"Bad Name", b"Transfer\0Encoding"]
SOME_LENGTH = st.sampled_from([b"Content-Length: 5", b"CONTENT-LENGTH:\t5", b"X: y", b"Server:x"])
LINES = st.one_of(
    SOME_LENGTH,
    SOME_LENGTH,
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from([b":", b": "]),
        st.sampled_from(LENGTHS + CODINGS + CONNECTIONS) | st.binary(max_size=8),
    ).map(b"".join),
    st.tuples(st.sampled_from(ODD_NAMES), st.sampled_from([b": 5", b" : 5", b""])).map(b"".join),
    st.binary(max_size=12),
)
STATUSES = [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 404"]
ODD_STATUSES = [
    *(b"HTTP/2 200 OK", b"HTTP/1.1 20 OK", b"HTTP/0.9 200", b"HTTP/1.1 200", b"HTTP/1.1 304 "),
    *(b"HTTP/1.1  200 OK", b"HTTP/1.1 0200 OK", b"HTTP/1.1 099 OK", b"ICY 200 OK", b""),
]
STATUS_LINES = st.sampled_from(STATUSES * 4 + ODD_STATUSES) | st.sampled_from(STATUSES)
ENDS = st.sampled_from([b"\r\n"] * 40 + [b"\n", b"\r", b"\r\n "])


class Recorded:
    """A socket that has received everything, in pieces of one size."""

    def __init__(self, sent: bytes, size: int = 1 << 20) -> None:
        """Have bytes to read."""
        self._sent = io.BytesIO(sent)
        self._size = size

    def recv(self, size: int, /) -> bytes:
        """Return the next piece."""
        return self._sent.read(min(size, self._size))


def read_by_http_client(sent: bytes) -> http.client.HTTPResponse:
    """Read an answer's head with the standard library."""

    class Connection(socket.socket):
        def makefile(self, *_: object, **__: object) -> io.BytesIO:  # type: ignore[override]
            return io.BytesIO(sent)

    with Connection() as connection:
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        return response


def head_of(*lines: bytes, status: bytes = OK) -> ResponseHead:
    """Parse a head of these lines."""
    return parse_head(status + b"".join(line + b"\r\n" for line in lines) + b"\r\n")


@given(STATUS_LINES, st.lists(st.tuples(LINES, ENDS), max_size=5), ENDS)
@example(b"HTTP/1.1 200 OK", [(b"Content-Length: 5", b"\r\n")], b"\r\n")
@example(b"HTTP/1.1 200 OK", [(b"Transfer-Encoding: chunked", b"\r\n")], b"\r\n")
@example(b"HTTP/1.0 200 OK", [(b"Connection: keep-alive", b"\r\n")], b"\r\n")
def test_what_is_accepted_is_read_as_the_standard_library_reads_it(
    status: bytes, lines: list[tuple[bytes, bytes]], end: bytes
) -> None:
    sent = status + end + b"".join(line + ending for line, ending in lines) + b"\r\n"
    try:
        head, rest = receive_head(Recorded(sent))
    except http.client.HTTPException:
        return

    expected = read_by_http_client(sent)

    assert (head.status, head.is_chunked) == (expected.status, expected.chunked)
    assert head.length == expected.length
    # It may be given up where http.client would go on, and never the other way.
    assert head.will_close >= bool(expected.will_close)
    if expected.fp is not None:
        assert rest == expected.fp.read()
    for name, value in head.fields:
        assert value.decode("latin-1") in [
            one.strip(" \t") for one in expected.headers.get_all(name.decode(), [])
        ]


@given(st.lists(st.integers(1, 60), max_size=6))
def test_a_head_is_read_however_its_bytes_are_split(sizes: list[int]) -> None:
    sent = OK + b"Content-Length: 5\r\nX-Request-Id: a\r\n\r\nHello"
    for size in [1, 2, 3, *sizes]:
        head, rest = receive_head(pieces := Recorded(sent, size))

        assert head.length == 5
        assert rest + b"".join(iter(lambda pieces=pieces: pieces.recv(64), b"")) == b"Hello"


def test_headers_are_kept_in_their_order_without_blanks_around_them() -> None:
    head = head_of(b"X-One: \t a b ", b"x-two:", b"X-ONE:c")

    assert head.fields == [(b"x-one", b"a b"), (b"x-two", b""), (b"x-one", b"c")]


@pytest.mark.parametrize(
    ("lines", "length", "is_chunked", "will_close"),
    [
        ([b"Content-Length: 5"], 5, False, False),
        ([b"Content-Length: 5", b"Content-Length: 5"], 5, False, False),
        ([b"Transfer-Encoding: Chunked"], None, True, False),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], None, True, True),
        ([], None, False, True),
        ([b"Content-Length: 5", b"Connection: Close"], 5, False, True),
        ([b"Content-Length: 5", b"Connection: x", b"Connection: close"], 5, False, True),
    ],
)
def test_the_head_says_where_the_body_ends(
    lines: list[bytes],
    length: int | None,
    is_chunked: bool,  # noqa: FBT001  # a parameter of the test
    will_close: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    head = head_of(*lines)

    assert (head.length, head.is_chunked, head.will_close) == (length, is_chunked, will_close)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body(status: bytes) -> None:
    head = head_of(b"Content-Length: 5", status=b"HTTP/1.1 " + status + b"\r\n")

    assert (head.length, head.is_chunked, head.will_close) == (0, False, False)


@pytest.mark.parametrize(
    ("lines", "will_close"), [([b"Connection: keep-alive"], False), ([b"X: y"], True)]
)
def test_a_connection_of_http_1_0_is_used_again_where_it_says_so(
    lines: list[bytes],
    will_close: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    head = head_of(b"Content-Length: 5", *lines, status=b"HTTP/1.0 200 OK\r\n")

    assert head.will_close is will_close


def test_an_invitation_to_go_on_is_no_answer() -> None:
    interim = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"

    head, rest = receive_head(Recorded(interim * 3 + OK + b"Content-Length: 2\r\n\r\nHi", 7))

    assert (head.status, head.length, rest[:2]) == (200, 2, b"Hi"[: len(rest)])


def test_a_connection_is_not_used_again_after_another_interim_answer() -> None:
    assert head_of(status=b"HTTP/1.1 103 Early Hints\r\n").will_close


# --- what is refused ---

TWICE = {
    "no number": [b"Content-Length: five"],
    "a sign": [b"Content-Length: +5"],
    "a negative one": [b"Content-Length: -5"],
    "an underscore": [b"Content-Length: 1_0"],
    "other digits": [b"Content-Length: \xb2"],
    "none": [b"Content-Length:"],
    "two lengths": [b"Content-Length: 5", b"Content-Length: 6"],
    "two lengths in one": [b"Content-Length: 5, 6"],
    "another coding": [b"Transfer-Encoding: gzip, chunked"],
    "two codings": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
    "an unknown coding": [b"Transfer-Encoding: xchunked", b"Content-Length: 5"],
    "a folded line": [b"X: a", b" Content-Length: 5"],
    "a blank before the colon": [b"Content-Length : 5"],
    "a line without a colon": [b"Content-Length 5"],
    "a name of nothing": [b": 5"],
    "NUL": [b"X: a\0b"],
    "a bare CR": [b"X: a\rContent-Length: 5"],
    "a bare LF": [b"X: a\nContent-Length: 5"],
    "too many": [b"X: a"] * 101,
}


@pytest.mark.parametrize("name", TWICE)
def test_a_head_that_can_be_read_in_two_ways_is_refused(name: str) -> None:
    with pytest.raises(MalformedHead):
        head_of(*TWICE[name])


def dripping(sent: bytes) -> Iterator[bytes]:
    """Send bytes one by one, and then fail the test that waits for more."""
    yield from (sent[at : at + 1] for at in range(len(sent)))
    pytest.fail("more was waited for")


class Dripping:
    """A socket that must not be read further than it has bytes."""

    def __init__(self, sent: bytes) -> None:
        """Have bytes to read."""
        self._sent = dripping(sent)

    def recv(self, _: int, /) -> bytes:
        """Return the next byte."""
        return next(self._sent)


@pytest.mark.parametrize("sent", [b"SSH-2.0-x", b"HTTP/2 200", OK + b"X: a\nb", OK + b"X: a\rb"])
def test_what_is_no_head_is_not_waited_for(sent: bytes) -> None:
    with pytest.raises(MalformedHead):
        receive_head(Dripping(sent))


def test_a_head_without_end_is_given_up() -> None:
    with pytest.raises(MalformedHead):
        receive_head(Recorded(OK + b"X: " + b"a" * (MAX_HEAD_BYTES * 2)))


def test_invitations_without_end_are_given_up() -> None:
    with pytest.raises(MalformedHead):
        receive_head(Recorded(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, 1_000))


def test_the_end_of_the_connection_is_told_from_half_a_head() -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        receive_head(Recorded(b""))
    with pytest.raises(MalformedHead):
        receive_head(Recorded(OK + b"Content-Le"))


def test_a_head_that_trickles_in_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"x-name: some value\r\n" * 90 + b"content-length: 0\r\n\r\n"
    bare, looked_at = framing._BARE, []

    class Counting:
        @staticmethod
        def search(received: bytearray, start: int) -> object:
            looked_at.append(len(received) - start)
            return bare.search(received, start)

    monkeypatch.setattr(framing, "_BARE", Counting)
    pieces = iter([head[i : i + 1] for i in range(len(head))])

    class Trickle:
        @staticmethod
        def recv(_: int) -> bytes:
            return next(pieces)

    parsed, rest = receive_head(Trickle())

    assert (parsed.status, parsed.length, rest) == (200, 0, b"")
    assert sum(looked_at) < 4 * len(head)


def test_interim_answers_without_end_are_no_answer() -> None:
    class Continuing:
        @staticmethod
        def recv(_: int) -> bytes:
            return b"HTTP/1.1 100 Continue\r\n\r\n"

    with pytest.raises(MalformedHead):
        receive_head(Continuing())


def test_identity_is_no_coding() -> None:
    head = head_of(b"Transfer-Encoding: identity", b"Content-Length: 5")

    assert (head.length, head.is_chunked, head.will_close) == (5, False, False)
