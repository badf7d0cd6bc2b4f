"""Has pictures measured: alone, or while a vision model is asked.

One process measures, for a second or two each. Where many pictures come at once a model's verdict,
which is paid for, must not wait for it: beside a model only a few are measured at a time, and the
verdict waits a while and no longer.
"""

import threading
from collections.abc import Callable

from llm_api.domain.judging import CheckpointVerdict, JudgeRequest, Measurements
from llm_api.errors import ApiError
from llm_api.services.judge.judged_pictures import picture_errors
from llm_api.services.measured_judge import MeasuredJudge

Measured = tuple[Measurements, tuple[CheckpointVerdict, ...]]
_BESIDE_AT_ONCE = 4
WAIT_S = 15.0


class Measuring:
    """Measures the pictures of requests. Safe for threads."""

    def __init__(self, judge: MeasuredJudge, *, wait: float = WAIT_S) -> None:
        """Measure with a judge; `wait` is how many seconds a model's verdict waits for it."""
        self._judge, self._wait = judge, wait
        self._places = threading.Semaphore(_BESIDE_AT_ONCE)
        self._running: set[threading.Thread] = set()

    def measured(self, request: JudgeRequest) -> Measured:
        """Return what was measured in the picture of a request; raises ApiError."""
        with picture_errors("image"):
            return self._judge.judge(request.pictures[0], request.requirements, request.checkpoints)

    def beside(self, request: JudgeRequest) -> Callable[[], Measured | None]:
        """Measure in a thread, and return what waits for it: None where it is not done in time."""
        if not self._places.acquire(blocking=False):
            return lambda: None
        found: list[Measured] = []

        def run() -> None:
            try:
                found.append(self.measured(request))
            except ApiError:
                pass  # the model's verdict is good without
            finally:
                self._running.discard(thread)
                self._places.release()

        thread = threading.Thread(target=run, daemon=True, name="measuring")
        self._running.add(thread)
        thread.start()

        def result() -> Measured | None:
            thread.join(self._wait)
            return next(iter(found), None)

        return result

    def close(self) -> None:
        """Wait for what is being measured that nobody waits for, where its model has failed."""
        for thread in tuple(self._running):
            thread.join(self._wait)
