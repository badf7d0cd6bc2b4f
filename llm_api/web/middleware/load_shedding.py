"""Lets so many calls into a worker at once; a few wait for a moment, all others are refused.

A service that takes in more calls than it can serve serves none of them in time. A refusal costs a
small part of a call, so that the service goes on serving what it can while many times as much is
asked of it: it is made here, around the application, before anything is looked at.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson

from llm_api.errors import Unavailable
from llm_api.observability.logging import new_request_id
from llm_api.runtime.deadlines import has_hung_up
from llm_api.web.response.error_formats import error_document, error_headers, is_openai_path

# In a request's WSGI environment: the seconds that it waited here.
QUEUED = "llm_api.queued"
QUEUE_TIMEOUT = 1.0
LOG_INTERVAL = 10.0
# Probes, pages and what is no path at all cost little, and must be answered most of all then.
_COUNTED = ("/api/", "/v1/")
_ID_MARK = "{request_id}"
_REFUSAL = Unavailable(
    "The service is answering as many calls as it can; try again in a moment.",
    reason="overloaded",
    retry_after=1,
)
logger = logging.getLogger(__name__)


class LoadShedder:
    """The application, entered by at most so many calls at once."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        places: int,
        waiting: int,
        queue_timeout: float = QUEUE_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how many calls may be in progress, how many may wait for a place, and how long."""
        self._app = app
        self._queue_timeout = queue_timeout
        self._gate = _Gate(places, waiting)
        self._shed = _Shed(clock)
        self._openai = _Refusal.written(is_openai=True)
        self._rest = _Refusal.written(is_openai=False)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(_COUNTED):
            return self._app(environ, start_response)
        if not (self._gate.enter() or self._wait(environ)):
            self._shed.note()
            refusal = self._openai if is_openai_path(path) else self._rest
            return refusal.answer(start_response)
        try:
            return _Admitted(self._app(environ, start_response), self._leave)
        except BaseException:  # a worker that ends cuts its calls by one that is no Exception
            self._leave()
            raise

    def _wait(self, environ: WSGIEnvironment) -> bool:
        began_at = time.perf_counter()
        if not self._gate.wait(self._queue_timeout):
            return False
        client = environ.get("gunicorn.socket")
        if client is not None and has_hung_up(client):
            self._leave()
            return False
        environ[QUEUED] = time.perf_counter() - began_at
        return True

    def _leave(self) -> None:
        self._gate.leave()
        self._shed.tell()


class _Gate:
    """The places, and those who wait for one: whoever came first gets the next that is free."""

    def __init__(self, places: int, waiting: int) -> None:
        self._free = places
        self._max_waiting = waiting
        self._waiting: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Take a place, if one is free."""
        with self._lock:
            # While somebody waits none is: a place that is left is handed on.
            if not self._free:
                return False
            self._free -= 1
            return True

    def wait(self, timeout: float) -> bool:
        """Take a place when it is one's turn; False where the queue is full or the wait too long.

        One may have become free since `enter`.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._waiting) >= self._max_waiting:
                return False
            waiter = _Waiter()
            self._waiting.append(waiter)
        try:
            waiter.called.acquire(timeout=timeout)
        except BaseException:  # the same
            if not self._withdraw(waiter):
                self.leave()
            raise
        return not self._withdraw(waiter)

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            waiter = self._waiting.popleft()
            waiter.has_place = True
            waiter.called.release()

    def _withdraw(self, waiter: "_Waiter") -> bool:
        """Stop waiting, unless a place has come in the very last moment."""
        with self._lock:
            if not waiter.has_place:
                self._waiting.remove(waiter)
            return not waiter.has_place


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Waiter:
    """Somebody in the queue."""

    called: threading.Lock = field(default_factory=_taken_lock)
    has_place: bool = False


class _Admitted:
    """The body of an answer, whose place is given back when nothing more is wanted of it."""

    def __init__(self, body: Iterable[bytes], leave: Callable[[], None]) -> None:
        self._body = body
        self._leave: Callable[[], None] | None = leave

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """End the answer; the server does so in every case, as WSGI demands."""
        leave, self._leave = self._leave, None
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            if leave is not None:
                leave()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The answer to a call that is not let in, ready but for the request's id."""

    before_id: bytes
    after_id: bytes
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def written(cls, *, is_openai: bool) -> "_Refusal":
        """Write it in a dialect."""
        path = "/v1/" if is_openai else "/api/"
        document = orjson.dumps(error_document(_REFUSAL, path, _ID_MARK))
        before, _, after = document.partition(_ID_MARK.encode())
        headers = {"Content-Type": "application/json", **error_headers(_REFUSAL, path)}
        return cls(before, after, tuple(headers.items()))

    def answer(self, start_response: StartResponse) -> Iterable[bytes]:
        request_id = new_request_id()
        body = b"%b%b%b" % (self.before_id, request_id.encode(), self.after_id)
        start_response(
            "503 Service Unavailable",
            [
                *self.headers,
                ("Content-Length", str(len(body))),
                ("x-request-id", request_id),
                ("request-id", request_id),
            ],
        )
        return [body]


class _Shed:
    """Counts refusals, and tells the log of them now and then: never of each."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count = 0
        self._silent_until = float("-inf")
        self._lock = threading.Lock()

    def note(self) -> None:
        """Count a refusal."""
        with self._lock:
            self._count += 1
        self.tell()

    def tell(self) -> None:
        """Say how many there were, unless it was said a moment ago."""
        if not self._count:
            return
        with self._lock:
            now, count = self._clock(), self._count
            if now < self._silent_until or not count:
                return
            self._silent_until, self._count = now + LOG_INTERVAL, 0
        logger.warning("calls are refused: too many are in progress", extra={"refused": count})
