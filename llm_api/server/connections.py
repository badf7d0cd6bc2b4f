"""Clients' connections, and the end of their waits for the next request."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import gevent

from llm_api.runtime.deadlines import peek

# A worker that is to end goes on accepting for so long: clients that are just connecting get an
# answer, and a health check learns that the service is not ready.
LAST_CALLS_S = 0.5


class _WaitOver(BaseException):
    """Ends a connection's wait for a request; no Exception, which gunicorn would answer."""


class Connection:
    """A client's connection, and the wait for its next request, which is a `with` block.

    A gevent.Timeout for each wait, and a generator around it, cost 20 µs of CPU a call; the worker
    looks for waits that are over once a second instead.
    """

    __slots__ = ("_client", "_had_request", "is_waiting", "waits_since")

    def __init__(self, client: Any) -> None:
        """Wait for nothing yet; `client` is the socket."""
        self._client = client
        self._had_request = False
        self.is_waiting = False
        self.waits_since = 0.0

    def __enter__(self) -> None:
        """Start a wait."""
        self.waits_since = time.monotonic()
        self.is_waiting = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """End the wait: quietly where its time was up."""
        self.is_waiting = False
        self._had_request = True
        return kind is _WaitOver

    def may_end(self) -> bool:
        """Whether it can be closed without losing a request."""
        is_new = not self._had_request and time.monotonic() - self.waits_since < LAST_CALLS_S
        return self.is_waiting and not is_new and peek(self._client) is None

    def has_waited(self, seconds: float) -> bool:
        """Whether it has waited so long and nothing of a request has come."""
        is_long = self.is_waiting and time.monotonic() - self.waits_since >= seconds
        return is_long and peek(self._client) is None


def end_wait(
    greenlet: gevent.Greenlet,
    connection: Connection,
    since: float,
    may_end: Callable[[Connection], bool],
) -> None:
    """End the wait that began at `since`, unless a request has come meanwhile."""
    if connection.waits_since == since and may_end(connection):
        greenlet.throw(_WaitOver)
