"""Load shedding: lets so many calls into a worker; a few queue briefly, all others get a 503.

A service that accepts more calls than it can serve serves none of them in time. A refusal costs a
small part of a call, so that the service goes on serving what it can under any load: it is made
here, around the application, before anything of the request is looked at
(docs/decisions/0016-admission.md).

See "Handling Overload" in Google's Site Reliability Engineering, https://sre.google/sre-book/.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson

from llm_api.errors import Unavailable
from llm_api.observability.logging import new_request_id
from llm_api.runtime.concurrency import ConcurrencyLimit
from llm_api.runtime.deadlines import is_disconnected
from llm_api.web.request.context import REQUEST_ID
from llm_api.web.response.error_formats import (
    FORMS,
    REST,
    ErrorForm,
    error_document,
    form_of,
)

# In a request's WSGI environment: the seconds that it waited here.
QUEUED = "llm_api.queued"
QUEUE_TIMEOUT = 1.0
LOG_INTERVAL = 10.0
# Health checks and pages cost little, and are needed most under overload.
COUNTED = ("/api/", "/v1/")
CODEX = "HTTP_ORIGINATOR"  # the header by which Codex names itself, and nobody else
_ID_MARK = "{request_id}"
_REFUSAL = Unavailable(
    "The service is answering as many calls as it can; try again in a moment.",
    reason="overloaded",
    retry_after=1,
)
logger = logging.getLogger(__name__)


class LoadShedder:
    """WSGI middleware that bounds the calls in progress."""

    def __init__(  # noqa: PLR0913  # two of them for who simulates the world
        self,
        app: WSGIApplication,
        *,
        max_active: int,
        max_waiting: int,
        queue_timeout: float = QUEUE_TIMEOUT,
        trusts_ids: bool = False,
        clock: Callable[[], float] = time.monotonic,
        on_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            max_active: calls in progress at once.
            max_waiting: further calls that may wait for one of those to end.
            queue_timeout: seconds that they wait.
            trusts_ids: whether requests come from a trusted proxy, whose ids refusals have.
            clock: returns seconds that never go back, for the pace of log lines.
            on_refusal: is told of every refusal.
        """
        self._app = app
        self._max_active = max_active
        self._on_refusal = on_refusal
        self._queue_timeout = queue_timeout
        self._trusts_ids = trusts_ids
        self._limit = ConcurrencyLimit(max_active, max_waiting)
        self._refusals = _RefusalLog(clock)
        self._refusals_of = {form.prefix: _Refusal.in_form(form) for form in (*FORMS, REST)}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(COUNTED):
            return self._app(environ, start_response)
        if not (self._limit.try_acquire() or self._wait(environ)):
            self._refusals.record()
            self._on_refusal()
            refusal = self._refusals_of[form_of(path).prefix]
            sent = environ.get("HTTP_X_REQUEST_ID", "") if self._trusts_ids else ""
            request_id = sent if REQUEST_ID.fullmatch(sent) else new_request_id()
            return refusal.answer(start_response, request_id, is_codex=CODEX in environ)
        try:
            return _AdmittedBody(self._app(environ, start_response), self._release)
        except BaseException:  # a worker that ends cuts its calls by one that is no Exception
            self._release()
            raise

    @property
    def active(self) -> int:
        """Calls in progress."""
        return self._max_active - self._limit.free

    @property
    def waiting(self) -> int:
        """Calls that wait for one of those to end."""
        return self._limit.waiting

    def _wait(self, environ: WSGIEnvironment) -> bool:
        began_at = time.perf_counter()
        if not self._limit.acquire(self._queue_timeout):
            return False
        client = environ.get("gunicorn.socket")
        if client is not None and is_disconnected(client):
            self._release()
            return False
        environ[QUEUED] = time.perf_counter() - began_at
        return True

    def _release(self) -> None:
        self._limit.release()
        self._refusals.flush()


class _AdmittedBody:
    """The body of a response, which releases the call's slot when it is closed."""

    def __init__(self, body: Iterable[bytes], release: Callable[[], None]) -> None:
        self._body = body
        self._release: Callable[[], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """End the response; servers always call it (PEP 3333)."""
        release, self._release = self._release, None
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            if release is not None:
                release()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The answer to a refused call, rendered beforehand but for the request's id."""

    status: str
    around_id: tuple[bytes, ...]
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def in_form(cls, form: ErrorForm) -> "_Refusal":
        """Render it in the form of a dialect."""
        document = orjson.dumps(error_document(_REFUSAL, f"{form.prefix}/", _ID_MARK))
        headers = {"Content-Type": "application/json", **form.headers(_REFUSAL)}
        status = form.status(_REFUSAL)
        # Anthropic's has no phrase of its own, as it is in no standard.
        phrase = "Service Unavailable" if status == _REFUSAL.status else "Overloaded"
        around_id = tuple(document.split(_ID_MARK.encode()))
        return cls(f"{status} {phrase}", around_id, tuple(headers.items()))

    def answer(
        self, start_response: StartResponse, request_id: str, *, is_codex: bool
    ) -> Iterable[bytes]:
        """Start the response to a request, and return its body."""
        body = request_id.encode().join(self.around_id)
        start_response(
            # Codex 0.171 sends what gets a 503 thirty times, and what gets a 429 six times.
            "429 Too Many Requests" if is_codex else self.status,
            [
                *self.headers,
                ("Content-Length", str(len(body))),
                ("x-request-id", request_id),
                ("request-id", request_id),
            ],
        )
        return [body]


class _RefusalLog:
    """Counts refusals, and logs their number now and then instead of each of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count = 0
        self._silent_until = float("-inf")
        self._lock = threading.Lock()

    def record(self) -> None:
        """Count a refusal."""
        with self._lock:
            self._count += 1
        self.flush()

    def flush(self) -> None:
        """Log how many there were, unless a line was written less than LOG_INTERVAL ago."""
        if not self._count:
            return
        with self._lock:
            now, count = self._clock(), self._count
            if now < self._silent_until or not count:
                return
            self._silent_until, self._count = now + LOG_INTERVAL, 0
        logger.warning("calls are refused: too many are in progress", extra={"refused": count})
