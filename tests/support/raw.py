"""A raw HTTP client: what is sent is exactly the bytes of the test, and nothing is repaired."""

import io
import json
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO

from tests.support.wire import (
    Headers,
    find_header,
    is_chunked,
    message_bytes,
    read_chunked,
    read_exactly,
    read_headers,
    read_line,
)

_BODILESS = {204, 304}
_READ_SIZE = 65536


@dataclass(frozen=True)
class RawResponse:
    """One response as it came; the body is unchunked, and still compressed if it was."""

    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        return find_header(self.headers, name)


def request_bytes(
    method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """Build one request with exactly these headers: Host and Content-Length are the caller's."""
    return message_bytes(f"{method} {path} HTTP/1.1", headers, body)


def exchange(
    address: tuple[str, int],
    payload: bytes,
    *,
    timeout: float = 5.0,
    half_close: bool = False,
    must_close: bool = False,
) -> bytes:
    """Send the payload and return all that comes until the server closes or the time is over.

    ``half_close`` ends the sending side first. A server that closes before it read everything is
    no error: what it said by then is returned. With ``must_close``, TimeoutError when the time is
    over first.
    """
    deadline = time.monotonic() + timeout
    with socket.create_connection(address, timeout=timeout) as connection:
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(payload)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        received, is_closed = _read_until(connection, deadline)
    if must_close and not is_closed:
        raise TimeoutError(f"the server has not closed within {timeout} s: {received[-200:]!r}")
    return received


def responses(received: bytes, *, to_head: bool = False) -> list[RawResponse]:
    """Parse one or several pipelined responses, final and interim ones (1xx) alike.

    ``to_head`` says that they answer HEAD and so have no body. TruncatedMessageError when the
    last one is incomplete; ValueError when it is no HTTP.
    """
    reader = io.BytesIO(received)
    found = []
    while reader.tell() < len(received):
        found.append(_read_response(reader, to_head=to_head))
    return found


def _read_until(connection: socket.socket, deadline: float) -> tuple[bytes, bool]:
    """Read to the end or to the deadline; tell whether it was the end."""
    received = bytearray()
    try:
        while (remaining := deadline - time.monotonic()) > 0:
            connection.settimeout(remaining)
            part = connection.recv(_READ_SIZE)
            if not part:
                return bytes(received), True
            received += part
    except ConnectionError:
        return bytes(received), True
    except TimeoutError:
        pass
    return bytes(received), False


def _read_response(reader: BinaryIO, *, to_head: bool) -> RawResponse:
    version, _, rest = read_line(reader).partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"no status line: {version!r}")
    status = int(rest[:3])
    headers = read_headers(reader)
    if to_head or status in _BODILESS or status < HTTPStatus.OK:
        return RawResponse(status, headers, b"")
    return RawResponse(status, headers, _read_body(reader, headers))


def _read_body(reader: BinaryIO, headers: Headers) -> bytes:
    if is_chunked(headers):
        return read_chunked(reader)
    length = find_header(headers, "Content-Length")
    return reader.read() if length is None else read_exactly(reader, int(length))
