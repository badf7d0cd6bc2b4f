"""The load generator's process for brown-outs: constant load while an upstream falls ill.

It reads a `BrownoutLoad` as JSON from its standard input and writes a `Timeline` as JSON to its
standard output. A call is sent whenever one is due, whether or not those before it have been
answered. This process makes the upstream ill and well itself, so that it knows exactly when.
"""

import dataclasses
import gc
import json
import select
import sys
import time
from collections import deque

from benchmarks import ill_upstream
from benchmarks.generator import ANSWER_TIMEOUT, HEAD_END, STATUS_OK, Connection, request_bytes
from benchmarks.load import Load

# The load ends when there has been no failure for so long.
STEADY_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class BrownoutLoad(Load):
    """A load of so many calls a second; it begins on some connections and opens more as needed.

    The upstream is well for `well_seconds`, ill for `ill_seconds`, and well again until the calls
    go well, or until `seconds` are over in all.
    """

    upstream_port: int
    illness: str
    calls_a_second: float
    well_seconds: float
    ill_seconds: float


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


@dataclasses.dataclass(frozen=True)
class Timeline:
    """What happened: the answers, the times at which the upstream was asked, and its illness."""

    ill_at: float
    well_at: float
    ended_at: float
    answers: list[Answer]
    hits: list[float]

    @classmethod
    def from_json(cls, text: bytes) -> "Timeline":
        """Read what the process wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "answers": [Answer(**answer) for answer in fields["answers"]]})


def status_and_reason(received: bytes) -> tuple[int, str]:
    """Return the status of a whole answer, and the code of its error if it has one."""
    if received.startswith(STATUS_OK):
        return 200, ""
    head, _, body = received.partition(HEAD_END)
    return int(head.split(b" ", 2)[1]), json.loads(body)["error"]["code"]


class BrownoutGenerator:
    """Sends calls at even intervals, each on a connection of its own."""

    def __init__(self, load: BrownoutLoad) -> None:
        """Open the first connections."""
        self._load = load
        self._request = request_bytes(load)
        self._poll = select.epoll()
        # The one that has been idle for longest is next: none is idle until the server closes it.
        self._idle = deque(Connection(load.port, self._request) for _ in range(load.connections))
        self._busy: dict[int, tuple[Connection, float]] = {}
        self._answers: list[Answer] = []
        self._due = time.monotonic()
        self._last_failure_at = self._due

    def run(self) -> Timeline:
        """Make the upstream ill and well again under load."""
        load = self._load
        end = self._due + load.seconds
        self._send_until(self._due + load.well_seconds)
        ill_at = ill_upstream.become(load.upstream_port, load.illness)
        self._send_until(ill_at + load.ill_seconds)
        well_at = ill_upstream.become(load.upstream_port, ill_upstream.WELL)
        self._last_failure_at = well_at
        while self._due < min(end, self._last_failure_at + STEADY_SECONDS):
            self._send_when_due()
        ended_at = self._due
        self._read_until(ended_at + ANSWER_TIMEOUT, is_last=True)
        for _, sent_at in self._busy.values():
            self._note(sent_at, 0, "no answer in time")
        answers = sorted(self._answers, key=lambda answer: answer.sent_at)
        return Timeline(ill_at, well_at, ended_at, answers, ill_upstream.hits(load.upstream_port))

    def _send_until(self, end: float) -> None:
        while self._due < end:
            self._send_when_due()
        self._read_until(end)

    def _send_when_due(self) -> None:
        self._read_until(self._due)
        connection = self._idle.popleft() if self._idle else self._new_connection()
        descriptor = connection.socket.fileno()
        self._busy[descriptor] = connection, time.monotonic()
        self._poll.register(descriptor, select.EPOLLIN)
        connection.send()
        self._due += 1 / self._load.calls_a_second

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
            self._last_failure_at = now


if __name__ == "__main__":
    generator = BrownoutGenerator(BrownoutLoad(**json.load(sys.stdin)))
    # A collection in the middle of a load would be measured as the server's latency.
    gc.disable()
    json.dump(dataclasses.asdict(generator.run()), sys.stdout)
