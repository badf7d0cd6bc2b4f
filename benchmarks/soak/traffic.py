"""The clients of a soak: calls at even intervals, each on a connection of its own."""

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.soak.mix import SoakCall

CLIENTS = 200
ANSWER_TIMEOUT = 60.0
LEAVES_AFTER_BYTES = 1
NO_ANSWER = "no answer"


class Traffic:
    """Sends calls from threads, and counts what their clients saw."""

    def __init__(self, port: int, calls: Iterator[SoakCall], rate: float) -> None:
        """Prepare it.

        Args:
            port: of the service.
            calls: what is sent, without an end.
            rate: calls a second.
        """
        self._port, self._calls, self._rate = port, calls, rate
        self._threads = ThreadPoolExecutor(CLIENTS, "client")
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._sender = threading.Thread(target=self._send, name="sender")
        self.sent = self.in_progress = self.most_in_progress = 0
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def start(self) -> None:
        """Begin to send."""
        self._sender.start()

    def end(self) -> None:
        """Send nothing more, and return when all calls have ended."""
        self._is_over.set()
        self._sender.join()
        self._threads.shutdown()

    def outcomes(self) -> dict[str, dict[str, int]]:
        """Return what clients saw, by the kind of their calls: a status, `left` or no answer."""
        with self._lock:
            counted = dict(self._outcomes)
        by_kind: dict[str, dict[str, int]] = {}
        for (kind, outcome), count in sorted(counted.items()):
            by_kind.setdefault(kind, {})[outcome] = count
        return by_kind

    def _send(self) -> None:
        due = time.monotonic()
        while not self._is_over.wait(max(0.0, due - time.monotonic())):
            with self._lock:
                self.in_progress += 1
                self.sent += 1
                self.most_in_progress = max(self.most_in_progress, self.in_progress)
            self._threads.submit(self._make, next(self._calls))
            due += 1 / self._rate

    def _make(self, call: SoakCall) -> None:
        outcome = outcome_of(self._port, call)
        with self._lock:
            self.in_progress -= 1
            self._outcomes[call.kind, outcome] += 1


def outcome_of(port: int, call: SoakCall) -> str:
    """Make a call, and return what its client saw: the status, `left`, or no whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT)
    with contextlib.closing(connection):
        try:
            connection.request("POST", call.path, call.body, call.headers)
            answer = connection.getresponse()
            if call.is_left and answer.status == http.client.OK:
                answer.read(LEAVES_AFTER_BYTES)
                return "left"
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"{NO_ANSWER}: {type(error).__name__}"
    return str(answer.status)
