"""Our response writes what gunicorn's writes, in fewer pieces, and refuses what it refuses."""

from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from gunicorn.http.wsgi import Response
from hypothesis import given
from hypothesis import strategies as st

from llm_api.server.http_response import JoinedResponse

OK = "200 OK"
JSON = ("Content-Type", "application/json")


class Wire:
    """A client's socket, which takes `at_once` bytes in a send and keeps what was written."""

    def __init__(self, at_once: int = 1 << 20) -> None:
        """Be empty."""
        self.at_once = at_once
        self.writes: list[bytes] = []

    def send(self, data: bytes) -> int:
        """Take some of it."""
        self.writes.append(bytes(data[: self.at_once]))
        return min(self.at_once, len(data))

    def sendall(self, data: bytes) -> None:
        """Take all of it."""
        self.writes.append(bytes(data))


def answered(
    kind: type[Response],
    wire: Wire,
    headers: list[tuple[str, str]],
    *pieces: bytes,
    **request: Any,
) -> bytes:
    """Return all bytes of an answer, without its time."""
    asked = {"method": "POST", "version": (1, 1), "should_close": lambda: False} | request
    response = kind(SimpleNamespace(**asked), wire, Config())
    write = response.start_response(OK, headers)
    for piece in pieces:
        write(piece)
    response.close()
    lines = b"".join(wire.writes).split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(b"Date: "))


@pytest.mark.parametrize(
    ("headers", "pieces", "writes"),
    [
        ([JSON, ("Content-Length", "2")], [b"{}"], 1),
        ([JSON], [b"data: 1\n\n", b"data: 2\n\n"], 3),  # the last one is the end of the chunks
    ],
    ids=["whole", "stream"],
)
def test_the_head_goes_out_with_the_first_piece(
    headers: list[tuple[str, str]], pieces: list[bytes], writes: int
) -> None:
    wire = Wire()

    answered(JoinedResponse, wire, headers, *pieces)

    assert len(wire.writes) == writes
    assert wire.writes[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert pieces[0] in wire.writes[0]


@pytest.mark.parametrize(
    ("headers", "pieces", "request_"),
    [
        ([JSON, ("Content-Length", "2")], [b"{}"], {}),
        ([JSON, ("Content-Length", "2")], [b"{}"], {"version": (1, 0)}),
        ([JSON, ("content-length", "2")], [b"{}and more"], {}),
        ([JSON, ("Content-Length", "0")], [b""], {}),
        ([JSON, ("Content-Length", "2")], [b"{}"], {"method": "HEAD"}),
        ([JSON, ("Content-Length", "2")], [b"{}"], {"should_close": lambda: True}),
        ([JSON, ("Content-Length", "1"), ("Content-Length", "2")], [b"{}"], {}),
        ([JSON], [b"", b"a", b"", b"bc"], {}),
        ([JSON], [b"abc"], {"version": (1, 0)}),
        ([JSON], [], {}),
        ([JSON, ("Connection", "close"), ("Server", "x")], [b"a"], {}),
        ([("X-Spaced", "a b\tc")], [b"a"], {}),
        ([("X-Latin", "caf\xe9"), ("X-Empty", "")], [b"a"], {}),
    ],
)
def test_the_bytes_are_those_of_gunicorn(
    headers: list[tuple[str, str]], pieces: list[bytes], request_: dict[str, Any]
) -> None:
    expected = answered(Response, Wire(), headers, *pieces, **request_)

    assert answered(JoinedResponse, Wire(), headers, *pieces, **request_) == expected


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(max_codepoint=0x17F), max_size=6),
            st.text(st.characters(max_codepoint=0x17F), max_size=9).map(lambda v: v.strip(" \t")),
        ),
        max_size=4,
    )
)
def test_every_header_is_judged_as_gunicorn_does(headers: list[tuple[str, str]]) -> None:
    def verdict(kind: type[Response]) -> object:
        try:
            return answered(kind, Wire(), headers, b"a")
        except (InvalidResponseHeader, InvalidResponseHeaderName) as error:
            return type(error)

    assert verdict(JoinedResponse) == verdict(Response)


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\0b"])
def test_a_header_cannot_bring_another(value: str) -> None:
    with pytest.raises(InvalidResponseHeader):
        answered(JoinedResponse, Wire(), [("X-Name", value)], b"a")


def test_what_the_socket_does_not_take_at_once_follows() -> None:
    slow, quick = Wire(at_once=10), Wire()
    headers = [JSON, ("Content-Length", "2")]

    assert answered(JoinedResponse, slow, headers, b"{}") == answered(
        JoinedResponse, quick, headers, b"{}"
    )
    assert len(slow.writes) == 2
