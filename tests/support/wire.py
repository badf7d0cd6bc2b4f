"""The HTTP/1.1 wire format (RFC 9112), by hand, so that a test can also send what is wrong."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import BinaryIO

Headers = list[tuple[str, str]]


class TruncatedMessageError(Exception):
    """The connection ended inside a message."""


def find_header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the first value of a header, whatever its case; None when it is absent."""
    matches = (value for key, value in headers if key.lower() == name.lower())
    return next(matches, None)


def read_exactly(reader: BinaryIO, length: int) -> bytes:
    """Read so many bytes; TruncatedMessageError when the connection ends before."""
    content = reader.read(length)
    if len(content) < length:
        raise TruncatedMessageError(f"{len(content)} of {length} bytes arrived")
    return content


def read_line(reader: BinaryIO) -> str:
    """Read one line without its ending; TruncatedMessageError when the connection ends before."""
    line = reader.readline()
    if not line.endswith(b"\n"):
        raise TruncatedMessageError("the connection ended inside a line")
    return line.rstrip(b"\r\n").decode("latin-1")


def read_headers(reader: BinaryIO) -> Headers:
    """Read the header lines up to the blank one, in their order and with their case."""
    headers: Headers = []
    while line := read_line(reader):
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    return headers


def read_chunked(reader: BinaryIO) -> bytes:
    """Read a chunked body and drop its trailers."""
    chunks = []
    while length := int(read_line(reader).partition(";")[0], 16):
        chunks.append(read_exactly(reader, length))
        read_line(reader)
    read_headers(reader)
    return b"".join(chunks)


def is_chunked(headers: Iterable[tuple[str, str]]) -> bool:
    """Tell whether the body of a message with these headers is chunked."""
    return (find_header(headers, "Transfer-Encoding") or "").lower().endswith("chunked")


def message_bytes(start_line: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Build one message with exactly these headers: a missing Content-Length stays missing."""
    lines = [start_line, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def response_bytes(
    status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """Build one complete response; Content-Length is added unless the headers frame the body."""
    fields = list(headers)
    if find_header(fields, "Content-Length") is None and not is_chunked(fields):
        fields.append(("Content-Length", str(len(body))))
    return message_bytes(f"HTTP/1.1 {status} {_reason(status)}", fields, body)


def chunk_bytes(content: bytes) -> bytes:
    """Build one chunk of a chunked body; the empty one ends the body."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def _reason(status: int) -> str:
    known = {member.value: member.phrase for member in HTTPStatus}
    return known.get(status, "Unknown")
