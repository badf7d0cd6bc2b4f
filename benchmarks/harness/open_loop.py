"""The load generator's process for open loops: calls at even intervals, whatever becomes of them.

It reads an `OpenLoad` as JSON from its standard input and writes a list of `Answer`s as JSON to
its standard output. A call is sent whenever one is due, whether or not those before it have been
answered.
"""

import dataclasses
import gc
import json
import select
import sys
import time
from collections import deque

from benchmarks.harness.generator import (
    ANSWER_TIMEOUT,
    HEAD_END,
    STATUS_OK,
    Connection,
    request_bytes,
)
from benchmarks.harness.load import Load


@dataclasses.dataclass(frozen=True)
class OpenLoad(Load):
    """A load of so many calls a second; it begins on some connections and opens more as needed."""

    calls_a_second: float


@dataclasses.dataclass(frozen=True)
class Answer:
    """One call: when it was sent, and its answer; status 0 stands for none."""

    sent_at: float
    seconds: float
    status: int
    reason: str

    @property
    def is_good(self) -> bool:
        """Return whether the caller got what it wanted."""
        return self.status == 200


def status_and_reason(received: bytes) -> tuple[int, str]:
    """Return the status of a whole answer, and the code of its error if it has one."""
    if received.startswith(STATUS_OK):
        return 200, ""
    head, _, body = received.partition(HEAD_END)
    return int(head.split(b" ", 2)[1]), json.loads(body)["error"]["code"]


class OpenLoop:
    """Sends calls at even intervals, each on a connection of its own."""

    def __init__(self, load: OpenLoad) -> None:
        """Open the first connections."""
        self.due = time.monotonic()
        self.last_failure_at = self.due
        self._load = load
        self._request = request_bytes(load)
        self._poll = select.epoll()
        # The one that has been idle for longest is next: none is idle until the server closes it.
        self._idle = deque(Connection(load.port, self._request) for _ in range(load.connections))
        self._busy: dict[int, tuple[Connection, float]] = {}
        self._answers: list[Answer] = []

    def run(self) -> list[Answer]:
        """Send for the load's seconds."""
        self.send_until(self.due + self._load.seconds)
        return self.end()

    def send_until(self, end: float) -> None:
        """Send what is due until a moment."""
        while self.due < end:
            self.send_when_due()
        self._read_until(end)

    def send_when_due(self) -> None:
        """Wait until the next call is due, and send it."""
        self._read_until(self.due)
        connection = self._idle.popleft() if self._idle else self._new_connection()
        descriptor = connection.socket.fileno()
        self._busy[descriptor] = connection, time.monotonic()
        self._poll.register(descriptor, select.EPOLLIN)
        connection.send()
        self.due += 1 / self._load.calls_a_second

    def end(self) -> list[Answer]:
        """Read what is still to come and return all answers, by when their calls were sent."""
        self._read_until(self.due + ANSWER_TIMEOUT, is_last=True)
        for _, sent_at in self._busy.values():
            self._note(sent_at, 0, "no answer in time")
        return sorted(self._answers, key=lambda answer: answer.sent_at)

    def _new_connection(self) -> Connection:
        return Connection(self._load.port, self._request)

    def _read_until(self, end: float, *, is_last: bool = False) -> None:
        while (left := end - time.monotonic()) > 0 and (self._busy or not is_last):
            for descriptor, _ in self._poll.poll(left):
                self._advance(descriptor)

    def _advance(self, descriptor: int) -> None:
        connection, sent_at = self._busy[descriptor]
        try:
            if connection.receive() is None:
                return
        except OSError as error:
            self._forget(descriptor)
            self._note(sent_at, 0, str(error))
            connection.socket.close()
            return
        self._forget(descriptor)
        self._note(sent_at, *status_and_reason(connection.received))
        if connection.is_closing():
            connection.reopen()
        self._idle.append(connection)

    def _forget(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        del self._busy[descriptor]

    def _note(self, sent_at: float, status: int, reason: str) -> None:
        now = time.monotonic()
        self._answers.append(Answer(sent_at, now - sent_at, status, reason))
        if status != 200:
            self.last_failure_at = now


if __name__ == "__main__":
    loop = OpenLoop(OpenLoad(**json.load(sys.stdin)))
    # A collection in the middle of a load would be measured as the server's latency.
    gc.disable()
    json.dump([dataclasses.asdict(answer) for answer in loop.run()], sys.stdout)
