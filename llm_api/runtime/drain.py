"""The end of a process: after SIGTERM, calls in progress may go on for the grace time.

Shortly before that is over we end what still runs, so that clients get an error and usage rows are
written: the SIGKILL that follows would leave neither.
"""

import math
import signal
import time
from collections.abc import Callable
from types import FrameType

# In a request's WSGI environment: the process ran out of memory over it, and has to end.
OUT_OF_MEMORY = "llm_api.out_of_memory"
# This much of the grace time is kept for the last events, usage rows and log lines.
_RESERVE_S = 2.0


class Drain:
    """Whether the process is ending, and until when its calls may go on."""

    def __init__(
        self,
        grace: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
        *,
        paid_grace: float = 0.0,
    ) -> None:
        """Create the state of a process that is not ending.

        Args:
            grace: seconds from the beginning of the end to the kill.
            clock: returns seconds that never go back.
            paid_grace: the same for calls whose answers are paid, read or not; the kill comes
                after the longer of the two.
        """
        self._calls_last = _without_reserve(grace)
        self._paid_calls_last = max(self._calls_last, _without_reserve(paid_grace))
        self._clock = clock
        self._kill_after = max(grace, paid_grace)
        self._calls_end_at = self._paid_calls_end_at = self._killed_at = math.inf
        self._working = 0
        self._is_started = False
        self.is_draining = False

    def retire(self) -> None:
        """Start nothing more that belongs to no request: other processes take this one's place.

        Calls in progress end when they end. Takes no lock, as `start` does.
        """
        self.is_draining = True

    @property
    def is_ending(self) -> bool:
        """Whether the process ends, so that nobody should be sent here any more."""
        return self._is_started

    def start(self) -> None:
        """Start the end, once; takes no lock, so that signal handlers may call it."""
        if not self._is_started:
            self._is_started = True
            now = self._clock()
            self._calls_end_at = now + self._calls_last
            self._paid_calls_end_at = now + self._paid_calls_last
            self._killed_at = now + self._kill_after
            self.is_draining = True

    @property
    def seconds_left(self) -> float:
        """Seconds until the kill; infinite while the process is not ending."""
        return self._killed_at - self._clock()

    @property
    def is_busy(self) -> bool:
        """Whether work goes on that belongs to no request."""
        return self._working > 0

    def enter(self) -> None:
        """Count work that belongs to no request, which the process's end waits for."""
        self._working += 1

    def leave(self) -> None:
        """Count the end of such work."""
        self._working -= 1

    def is_expired(self) -> bool:
        """Whether the time of the calls in progress is over."""
        return self._clock() >= self._calls_end_at

    def is_expired_for_paid(self) -> bool:
        """Whether the time of calls is over whose answers are paid, read or not."""
        return self._clock() >= self._paid_calls_end_at


def _without_reserve(grace: float) -> float:
    """Return a grace time less the reserve; half of one that is shorter than that must do."""
    return grace - min(_RESERVE_S, grace / 2)


def drain_on_sigterm(drain: Drain) -> None:
    """Start the drain on SIGTERM, before the handler that is installed now runs."""
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        drain.start()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, handle)
    # As gunicorn has it: no system call of a request is interrupted.
    signal.siginterrupt(signal.SIGTERM, False)  # noqa: FBT003  # the signature is signal's
