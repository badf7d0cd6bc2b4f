"""The load generator's process for streams: it measures how long every event was on its way.

Like `benchmarks.harness.generator` it reads a `Load` and writes a `LoadResult`. Every connection
carries one stream that lasts `Load.seconds`; they start one after the other, over a fifth of that
time.
The percentiles are over all events of all streams, from sending to reading.
A stream fails unless all its events and its end have come when its answer ends. Those of a response
say the whole text once more behind the pieces, which are no events of the upstream.
"""

import dataclasses
import gc
import json
import re
import select
import socket
import sys
import time

from benchmarks.harness.event_stream import EVENTS, TIME_MARK
from benchmarks.harness.generator import (
    ANSWER_TIMEOUT,
    HEAD_END,
    RECEIVE_BYTES,
    STATUS_OK,
    percentile_ms,
    request_bytes,
)
from benchmarks.harness.load import Load, LoadResult

CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
SENT_AT = re.compile(TIME_MARK.encode() + rb"(\d+)")
RESPONSES = "/v1/responses"
# What ends a stream, and what stands in the lines that have a piece of its text.
CHAT_MARKS = (b"data: [DONE]", b"data: ")
RESPONSE_MARKS = (b"event: response.completed", b'data: {"type":"response.output_text.delta"')
LINE_END = b"\r\n"
NS_A_SECOND = 1_000_000_000
START_PART = 0.2


class ChunkedBody:
    """Takes the framing off a chunked body."""

    def __init__(self) -> None:
        """Begin after the answer's head."""
        self._pending = b""
        self.is_complete = False

    def feed(self, received: bytes) -> bytes:
        """Return the data of the chunks that are whole now; ValueError if it is not chunked."""
        pending = self._pending + received
        data = []
        while not self.is_complete and (size_end := pending.find(LINE_END)) >= 0:
            size = int(pending[:size_end].partition(b";")[0], 16)
            start = size_end + len(LINE_END)
            end = start + size
            if len(pending) < end + len(LINE_END):
                break
            data.append(pending[start:end])
            pending = pending[end + len(LINE_END) :]
            self.is_complete = size == 0
        self._pending = pending
        return b"".join(data)


class Stream:
    """One connection and the stream that it carries."""

    def __init__(self, port: int, path: str) -> None:
        """Connect to 127.0.0.1; OSError if nobody listens. The path is that of the request."""
        self._end, self._piece = RESPONSE_MARKS if path == RESPONSES else CHAT_MARKS
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.delays: list[float] = []
        self._head = b""
        self._body: ChunkedBody | None = None
        self._line = b""
        self._is_done = False

    def receive(self) -> bool:
        """Read what is there; return whether the answer is whole.

        ConnectionError or ValueError if it is not what it should be.
        """
        received = self.socket.recv(RECEIVE_BYTES)
        now = time.monotonic_ns()
        if not received:
            raise ConnectionResetError(f"closed after {self}")
        if self._body is None:
            received = self._take_head(received)
        if self._body is None:
            return False
        self._take_events(self._body.feed(received), now)
        if self._body.is_complete and not (self._is_done and len(self.delays) == EVENTS):
            raise ValueError(f"ended after {self}")
        return self._body.is_complete

    def _take_head(self, received: bytes) -> bytes:
        self._head += received
        head, end, rest = self._head.partition(HEAD_END)
        if not end:
            return b""
        if not head.startswith(STATUS_OK) or not CHUNKED.search(head):
            raise ValueError(self._head[:500].decode(errors="replace"))
        self._body = ChunkedBody()
        return rest

    def _take_events(self, data: bytes, now: int) -> None:
        whole, _, self._line = (self._line + data).rpartition(b"\n")
        lines = whole.split(b"\n")
        sent_at = SENT_AT.findall(b"".join(one for one in lines if one.startswith(self._piece)))
        self.delays += [(now - int(sent)) / NS_A_SECOND for sent in sent_at]
        self._is_done = self._is_done or self._end in lines

    def __str__(self) -> str:
        """Return how far the stream came, for the message of its failure."""
        return f"{len(self.delays)} of {EVENTS} events{' and the end' if self._is_done else ''}"


class StreamGenerator:
    """Reads the streams of one load, all of them at the same time."""

    def __init__(self, load: Load) -> None:
        """Open every connection, so that connecting is no part of what is measured."""
        self._request = request_bytes(load)
        self._seconds = load.seconds
        self._poll = select.epoll()
        self._streams = [Stream(load.port, load.path) for _ in range(load.connections)]
        self._open: dict[int, Stream] = {}
        self._failures: list[str] = []

    def run(self) -> LoadResult:
        """Start the streams one after the other and read all of them to their ends."""
        began = time.perf_counter()
        starting_seconds = self._seconds * START_PART
        for number, stream in enumerate(self._streams):
            self._read_until(began + starting_seconds * number / len(self._streams))
            stream.socket.sendall(self._request)
            self._open[stream.socket.fileno()] = stream
            self._poll.register(stream.socket, select.EPOLLIN)
        give_up_at = began + starting_seconds + self._seconds + ANSWER_TIMEOUT
        while self._open and time.perf_counter() < give_up_at:
            self._read_ready(ANSWER_TIMEOUT)
        self._failures += [f"not ended in time, after {each}" for each in self._open.values()]
        return self._result(time.perf_counter() - began)

    def _read_until(self, end: float) -> None:
        while (left := end - time.perf_counter()) > 0:
            self._read_ready(left)

    def _read_ready(self, timeout: float) -> None:
        for descriptor, _ in self._poll.poll(timeout):
            stream = self._open[descriptor]
            try:
                if not stream.receive():
                    continue
            except (OSError, ValueError) as error:
                self._failures.append(str(error))
            del self._open[descriptor]
            self._poll.unregister(descriptor)
            stream.socket.close()

    def _result(self, elapsed_seconds: float) -> LoadResult:
        ordered = sorted(delay for stream in self._streams for delay in stream.delays)
        return LoadResult(
            requests=len(self._streams),
            failures=len(self._failures),
            first_failure=self._failures[0] if self._failures else "",
            elapsed_seconds=elapsed_seconds,
            p50_ms=percentile_ms(ordered, 0.50),
            p99_ms=percentile_ms(ordered, 0.99),
        )


if __name__ == "__main__":
    generator = StreamGenerator(Load(**json.load(sys.stdin)))
    # A collection in the middle of a load would be measured as the server's latency.
    gc.disable()
    json.dump(dataclasses.asdict(generator.run()), sys.stdout)
