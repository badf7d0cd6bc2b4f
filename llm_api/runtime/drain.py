"""The end of a process: after SIGTERM, calls in progress may go on for the grace time.

Shortly before that is over, what still runs is ended by ourselves, so that its client is told and
its usage row is written: the kill that follows would leave neither.
"""

import math
import signal
import time
from collections.abc import Callable
from types import FrameType

# In a request's WSGI environment: the process ran out of memory over it, and has to end.
OUT_OF_MEMORY = "llm_api.out_of_memory"
# Of the grace time, so much is kept for the last events, usage rows and log lines.
_RESERVE_S = 2.0


class Drain:
    """Whether the process is ending, and until when its calls may go on."""

    def __init__(
        self, grace: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Give calls that are in progress when the end begins `grace` seconds."""
        # Half of a grace time that is shorter than the reserve must do.
        self._calls_last = grace - min(_RESERVE_S, grace / 2)
        self._clock = clock
        self._calls_end_at = math.inf
        self.has_begun = False

    def begin(self) -> None:
        """Begin to end, once; it takes no lock, so that signal handlers may call it."""
        if not self.has_begun:
            self._calls_end_at = self._clock() + self._calls_last
            self.has_begun = True

    def is_over(self) -> bool:
        """Tell whether the time of the calls in progress is over."""
        return self._clock() >= self._calls_end_at


def begin_on_sigterm(drain: Drain) -> None:
    """Let SIGTERM begin the end, before the handler that is installed now."""
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        drain.begin()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, handle)
    # As gunicorn has it: no system call of a request is interrupted.
    signal.siginterrupt(signal.SIGTERM, False)  # noqa: FBT003  # the signature is signal's
