"""The load generator's process: raw keep-alive sockets driven by epoll from one thread.

It reads a `Load` as JSON from its standard input and writes a `LoadResult` as JSON
to its standard output.
Answers are framed by Content-Length or the last chunk, and checked for status 200, no more.
"""

import dataclasses
import gc
import json
import re
import select
import socket
import sys
import time

from benchmarks.harness.load import Load, LoadResult

HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
STATUS_OK = b"HTTP/1.1 200"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CONNECTION_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
RECEIVE_BYTES = 65536
ANSWER_TIMEOUT = 10.0


def request_bytes(load: Load) -> bytes:
    """Return the whole HTTP/1.1 request that every connection repeats."""
    body = load.body.encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\n"
        "Content-Type: application/json\r\nAccept: application/json\r\n"
        f"User-Agent: benchmark\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


def is_complete(received: bytes) -> bool:
    """Return whether `received` is one whole answer."""
    head_end = received.find(HEAD_END)
    if head_end < 0:
        return False
    match = CONTENT_LENGTH.search(received, 0, head_end)
    if match is None:
        return received.endswith(LAST_CHUNK)
    return len(received) >= head_end + len(HEAD_END) + int(match[1])


def percentile_ms(ordered: list[float], fraction: float) -> float:
    """Return the value at `fraction` of ascending seconds, in milliseconds; 0 for none."""
    if not ordered:
        return 0.0
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)] * 1000


class Connection:
    """One client connection with at most one request in flight."""

    def __init__(self, port: int, request: bytes) -> None:
        """Connect to 127.0.0.1; OSError if nobody listens."""
        self._port = port
        self._request = request
        self._sent_at = 0.0
        self.received = b""
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_TIMEOUT)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def send(self) -> None:
        """Send the request and start its clock."""
        self.received = b""
        self._sent_at = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> float | None:
        """Read what is there; return the seconds since the request once its answer is whole."""
        chunk = self.socket.recv(RECEIVE_BYTES)
        if not chunk:
            message = "the server closed the connection before its answer was complete"
            raise ConnectionResetError(message)
        self.received += chunk
        if not is_complete(self.received):
            return None
        return time.perf_counter() - self._sent_at

    def is_closing(self) -> bool:
        """Return whether the server announced that it closes after this answer."""
        head_end = self.received.find(HEAD_END)
        return CONNECTION_CLOSE.search(self.received, 0, head_end) is not None

    def reopen(self) -> None:
        """Replace the socket by a new one."""
        self.socket.close()
        self.socket = self._connect()


class LoadGenerator:
    """Repeats the request of one load on all its connections."""

    def __init__(self, load: Load) -> None:
        """Open every connection, so that connecting is no part of a measured request."""
        request = request_bytes(load)
        self._seconds = load.seconds
        self._stop_at = 0.0
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._latencies: list[float] = []
        self._failures: list[str] = []
        for _ in range(load.connections):
            self._watch(Connection(load.port, request))

    def run(self) -> LoadResult:
        """Send for the load's seconds, then let the requests in flight finish."""
        started = time.perf_counter()
        self._stop_at = started + self._seconds
        for connection in self._open.values():
            connection.send()
        while self._open and time.perf_counter() < self._stop_at + ANSWER_TIMEOUT:
            for descriptor, _ in self._poll.poll(ANSWER_TIMEOUT):
                self._advance(self._open[descriptor])
        self._failures += ["no answer in time"] * len(self._open)
        return self._result(time.perf_counter() - started)

    def _advance(self, connection: Connection) -> None:
        try:
            latency = connection.receive()
            if latency is None:
                return
            self._record(connection, latency)
            self._continue(connection)
        except OSError as error:
            self._failures.append(str(error))
            self._unwatch(connection)

    def _record(self, connection: Connection, latency: float) -> None:
        self._latencies.append(latency)
        if not connection.received.startswith(STATUS_OK):
            self._failures.append(connection.received[:500].decode(errors="replace"))

    def _continue(self, connection: Connection) -> None:
        if time.perf_counter() >= self._stop_at:
            self._unwatch(connection)
            connection.socket.close()
            return
        if connection.is_closing():
            self._unwatch(connection)
            connection.reopen()
            self._watch(connection)
        connection.send()

    def _watch(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        self._open[descriptor] = connection
        self._poll.register(descriptor, select.EPOLLIN)

    def _unwatch(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        if self._open.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def _result(self, elapsed_seconds: float) -> LoadResult:
        ordered = sorted(self._latencies)
        return LoadResult(
            requests=len(ordered),
            failures=len(self._failures),
            first_failure=self._failures[0] if self._failures else "",
            elapsed_seconds=elapsed_seconds,
            p50_ms=percentile_ms(ordered, 0.50),
            p99_ms=percentile_ms(ordered, 0.99),
        )


if __name__ == "__main__":
    generator = LoadGenerator(Load(**json.load(sys.stdin)))
    # A collection in the middle of a load would be measured as the server's latency.
    gc.disable()
    json.dump(dataclasses.asdict(generator.run()), sys.stdout)
