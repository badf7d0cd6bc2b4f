"""Lets requests of this process wait for the call that another one makes for the same."""

import math
import threading
import time
from collections.abc import Callable

from llm_api.domain.calls import Caller, CallReport
from llm_api.errors import ApiError, RateLimited, UpstreamTimeout
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.upstream.faults import ClientGone, ShuttingDown

LOOK_S = 0.25


class Patience:
    """How long a request may wait for another one's call."""

    def __init__(self, caller: Caller, must_end: Callable[[], bool]) -> None:
        """Start the time of a `caller` now; `must_end` says whether the process ends."""
        limit = math.inf if caller.time_limit is None else caller.time_limit
        self._ends_at = time.monotonic() + limit
        self._caller = caller
        self._must_end = must_end

    @property
    def left(self) -> float | None:
        """Seconds that the caller is still willing to wait, None if it did not say."""
        if self._ends_at == math.inf:
            return None
        return max(0.0, self._ends_at - time.monotonic())

    def check(self) -> None:
        """Raise ApiError where the request can wait no longer."""
        if self._caller.is_disconnected():
            raise ClientGone
        if self._must_end():
            raise ShuttingDown
        if self.left == 0:
            message = "The model service did not answer in the time that the request allows."
            late = UpstreamTimeout(message, reason="upstream_timeout")
            raise late.replaced(report=CallReport(client_deadline_passed=True))


class SharedCall:
    """A call in progress, and those who wait for it."""

    def __init__(self) -> None:
        """Wait for nobody yet."""
        self.has_followers = False
        self.result: RewriteResult | None = None
        self.error: ApiError | None = None
        self._followers = 0
        self._ended = threading.Event()

    def count(self, change: int) -> None:
        """Count those who wait."""
        self._followers += change
        self.has_followers = self._followers > 0

    def end(self, result: RewriteResult | None = None, error: ApiError | None = None) -> None:
        """Wake those who wait.

        With neither a result nor an error that holds for all of them, one of them makes the call.
        """
        self.result = result
        self.error = error if error is not None and _holds_for_all(error) else None
        self._ended.set()

    def wait(self, patience: Patience) -> RewriteResult | None:
        """Return the result; None where this request may have to make the call. Raises ApiError."""
        while not self._ended.wait(LOOK_S):
            patience.check()
        if self.error is not None:
            raise self.error.replaced(report=None)
        return self.result


class SharedCalls:
    """The calls in progress of this process, by what they are for."""

    def __init__(self) -> None:
        """Know none yet."""
        self._lock = threading.Lock()
        self._running: dict[str, SharedCall] = {}

    def join(self, name: str) -> tuple[SharedCall, bool]:
        """Return the call for something, and whether the request has to make it itself.

        One that has not must `leave` it.
        """
        with self._lock:
            running = self._running.get(name)
            if running is not None:
                running.count(1)
                return running, False
            call = self._running[name] = SharedCall()
            return call, True

    def leave(self, call: SharedCall) -> None:
        """Count a request less that waits for a call."""
        with self._lock:
            call.count(-1)

    def close(self, name: str) -> None:
        """Let nobody join a call any more: it is about to end."""
        with self._lock:
            del self._running[name]


def _holds_for_all(error: ApiError) -> bool:
    """Whether an error would be that of the followers, too, and is not the caller's own.

    Limits are counted for each caller: an address has its own, and each is told what is left.
    """
    is_late = error.report is not None and error.report.client_deadline_passed
    is_own_limit = isinstance(error, RateLimited) and not (error.report and error.report.attempts)
    return not (isinstance(error, ClientGone) or is_late or is_own_limit)
