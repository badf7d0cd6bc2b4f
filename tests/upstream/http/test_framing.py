"""The framing of a body is taken off rightly, however the bytes were split."""

import http.client
import io
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.upstream.http.framing import Chunked, OfLength, UntilClosed
from tests.support.tables import each
from tests.support.wire import chunk_bytes

SENT = b"".join(map(chunk_bytes, [b"data: a\n\n", b"\r\n", b"x" * 300, b""]))
BODY = b"data: a\n\n" + b"\r\n" + b"x" * 300
EXTENDED = b'9;name="v" \r\ndata: a\n\n\r\n00\r\nExpires: never\r\nX: y\r\n\r\n'


def decoded(framing: Chunked | OfLength | UntilClosed, *pieces: bytes) -> bytes:
    """Feed pieces one after the other."""
    return b"".join(map(framing.feed, pieces))


def read_by_http_client(chunks: bytes) -> bytes:
    """Read a chunked body with the standard library."""

    class Connection(socket.socket):
        def makefile(self, *_: object, **__: object) -> io.BytesIO:  # type: ignore[override]
            return io.BytesIO(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

    with Connection() as connection:
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.read()


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
def test_chunks_read_as_the_standard_library_reads_them(
    contents: list[bytes], data: st.DataObject
) -> None:
    sent = b"".join(map(chunk_bytes, [*contents, b""]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=10)))
    framing = Chunked()

    body = decoded(
        framing, *(sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True))
    )

    assert body == read_by_http_client(sent) == b"".join(contents)
    assert (framing.is_over, framing.has_excess) == (True, False)


def test_chunks_are_read_byte_by_byte() -> None:
    framing = Chunked()

    assert decoded(framing, *(SENT[i : i + 1] for i in range(len(SENT)))) == BODY
    assert framing.is_over


@each("size", [1, 7, 1000])
def test_extensions_and_trailers_are_left_out(size: int) -> None:
    framing = Chunked()
    pieces = [EXTENDED[at : at + size] for at in range(0, len(EXTENDED), size)]

    assert decoded(framing, *pieces) == b"data: a\n\n"
    assert (framing.is_over, framing.has_excess) == (True, False)


@each(
    "sent",
    [
        b"zz\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b"1_0\r\n",
        b" 1\r\na\r\n",
        b"1\na\r\n",
        b"1\r\naXX\r\n",
        b"1\r\nab\r\n",
        b"111111111\r\n",
        b"1;" + b"x" * 5_000,
        b"\xb2\r\n",
    ],
)
def test_chunks_that_are_none_are_refused(sent: bytes) -> None:
    with pytest.raises(http.client.IncompleteRead):
        Chunked().feed(sent)


@each("cut", range(1, len(SENT)))
def test_chunks_that_are_cut_are_refused(cut: int) -> None:
    framing = Chunked()
    framing.feed(SENT[:cut])

    with pytest.raises(http.client.IncompleteRead):
        framing.end()


def test_a_length_is_kept_to() -> None:
    framing = OfLength(5)

    assert (framing.feed(b"abc"), framing.is_over) == (b"abc", False)
    assert (framing.feed(b"def"), framing.is_over, framing.has_excess) == (b"de", True, True)


def test_a_body_without_bytes_is_over_at_once() -> None:
    assert OfLength(0).is_over


def test_a_missing_rest_is_told() -> None:
    framing = OfLength(5)
    framing.feed(b"abc")

    with pytest.raises(http.client.IncompleteRead):
        framing.end()


def test_the_rest_behind_the_last_chunk_is_noticed() -> None:
    framing = Chunked()
    framing.feed(SENT + b"HTTP/1.1 200 OK")

    assert framing.has_excess


def test_a_body_without_length_ends_with_its_connection() -> None:
    framing = UntilClosed()

    assert decoded(framing, b"a", b"b") == b"ab"
    assert not framing.is_over
    assert framing.end() == b""
    assert framing.is_over
