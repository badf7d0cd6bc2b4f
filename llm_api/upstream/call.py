"""One call on its way to an upstream, with all its attempts."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llm_api.domain.calls import Timing, never
from llm_api.runtime.deadlines import INTERVAL, Deadline
from llm_api.upstream import faults


@dataclass(slots=True)
class Attempt:
    """One attempt: where it was made, and how it ended; `reason` is None where it went well."""

    upstream: str
    line: str
    model: str
    reason: str | None = None
    seconds: float = 0.0


class UpstreamCall(Deadline):
    """Lists the attempts and counts the time there; its deadline is the total time-out."""

    def __init__(
        self,
        *,
        total: float,
        is_abandoned: Callable[[], bool] = never,
        must_end: Callable[[], bool] = never,
        on_first_attempt: Callable[[], None] | None = None,
        timing: Timing | None = None,
        has_client_deadline: bool = False,
    ) -> None:
        """Give the call `total` seconds from now; where they go is noted in `timing`.

        `is_hurried` says that it is the client who gives it less time than it would have.
        """
        # Both sides: an upstream that does not read holds up the sending.
        super().__init__(
            total=total, is_abandoned=is_abandoned, must_end=must_end, how=socket.SHUT_RDWR
        )
        self._is_hurried = has_client_deadline
        self.tries: list[Attempt] = []
        self.dropped: tuple[str, ...] = ()  # what the upstream asked last does not take
        self.timing = Timing() if timing is None else timing
        self._spent = 0.0
        self._attempt_began_at = 0.0
        self._on_first_attempt = on_first_attempt

    @property
    def client_deadline_passed(self) -> bool:
        """Whether the time is over that the client gave it, and not what an upstream may take."""
        return self._is_hurried and not self.remaining

    @property
    def attempts(self) -> int:
        """How many attempts were made so far."""
        return len(self.tries)

    @property
    def ending(self) -> faults.Fault | None:
        """Why this service itself has ended the call, None where it has not.

        That it took too long is the upstream's fault and does not count.
        """
        if self.is_client_gone:
            return faults.Fault(faults.ClientGone())
        # Asked once more: what woke us can have been the end of another part of the same call.
        if self.is_shut_down or self._must_end():
            return faults.Fault(faults.ShuttingDown())
        return None

    @contextmanager
    def attempt(self, upstream: str, line: str, model: str) -> Iterator[None]:
        """Count an attempt that is made inside the block, and its time."""
        attempt = Attempt(upstream, line, model)
        self.tries.append(attempt)
        if self.attempts == 1 and self._on_first_attempt is not None:
            self._on_first_attempt()
        self._spent = self.timing.upstream
        self._attempt_began_at = time.monotonic()
        try:
            yield
        except faults.Fault as fault:
            attempt.reason = fault.error.reason
            raise
        except faults.RetryDifferently as refusal:
            attempt.reason = refusal.word
            raise
        finally:
            self._note_time()
            attempt.seconds = self.timing.upstream - self._spent

    def pause(self, seconds: float, sleep: Callable[[float], None]) -> None:
        """Wait before the next attempt; raises faults.Fault when the call is ended meanwhile."""
        while seconds > 0 and self.remaining:
            step = min(seconds, INTERVAL)
            sleep(step)
            seconds -= step
            self.check()
            if (ending := self.ending) is not None:
                raise ending

    def note_first_token(self) -> None:
        """Note that the answer begins."""
        self._note_time()
        self.timing.first_token = self.timing.upstream

    def _note_time(self) -> None:
        self.timing.upstream = self._spent + time.monotonic() - self._attempt_began_at
