"""The client of a scripted upstream, as the upstream sees it."""

import json
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from tests.support.wire import (
    Headers,
    TruncatedMessageError,
    find_header,
    is_chunked,
    read_chunked,
    read_exactly,
    read_headers,
    read_line,
)

_REQUEST_LINE_PARTS = 3
_LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it arrived; ``path`` has the query, ``received_at`` is monotonic seconds."""

    method: str
    path: str
    headers: Headers
    body: bytes
    received_at: float = field(default_factory=time.monotonic, compare=False)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        return find_header(self.headers, name)

    @property
    def closes_connection(self) -> bool:
        """Whether the client wants no further exchange on this connection."""
        return (self.header("Connection") or "").lower() == "close"


class Peer:
    """One accepted connection: requests come out of it, bytes go into it."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over the connection; close() gives it back to the kernel."""
        self._connection = connection
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader: BinaryIO = connection.makefile("rb")

    def read_request(self) -> RecordedRequest:
        """Read the next request; TruncatedMessageError when the client left or speaks no HTTP."""
        parts = read_line(self._reader).split(" ")
        if len(parts) != _REQUEST_LINE_PARTS:
            raise TruncatedMessageError("no HTTP/1.1 request line")
        headers = read_headers(self._reader)
        return RecordedRequest(parts[0], parts[1], headers, self._read_body(headers))

    def _read_body(self, headers: Headers) -> bytes:
        if is_chunked(headers):
            return read_chunked(self._reader)
        return read_exactly(self._reader, int(find_header(headers, "Content-Length") or 0))

    def send(self, payload: bytes) -> None:
        """Write everything; ConnectionError when the client is gone."""
        self._connection.sendall(payload)

    def stay_silent(self, seconds: float) -> bool:
        """Say nothing for so long; False at once when the client leaves or the server stops."""
        poller = select.poll()
        poller.register(self._connection, select.POLLIN)
        return not poller.poll(seconds * 1000)

    def reset_on_close(self) -> None:
        """Let close() send RST in place of FIN."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()
        self._connection.close()
