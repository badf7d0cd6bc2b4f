"""One call to upstreams, with all its attempts."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from llm_api.domain.calls import Attempt, Caller, Timing, never
from llm_api.domain.tracing import AttemptSpan, SentRequest, Server, Source, TracedAnswer
from llm_api.runtime.deadlines import INTERVAL, Deadline
from llm_api.upstream import faults

# Of a call, over all its upstreams.
MAX_ATTEMPTS = 3


class UpstreamCall(Deadline):
    """Records the attempts of a call and the time they take; its deadline is the total time-out."""

    def __init__(  # noqa: PLR0913  # the last is for who simulates the world
        self,
        *,
        total: float,
        is_disconnected: Callable[[], bool] = never,
        must_end: Callable[[], bool] = never,
        on_first_attempt: Callable[[], None] | None = None,
        has_client_deadline: bool = False,
        caller: Caller | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock of a call.

        Args:
            total: seconds that the call may take, from now on.
            is_disconnected: whether the client has closed its connection.
            must_end: whether the process is shutting down and can wait no longer.
            on_first_attempt: called before the first byte of the first attempt is sent; raises
                ApiError if the call must not be made.
            has_client_deadline: whether it was the client that asked for so little time.
            caller: whose call it is.
            clock: monotonic time in seconds.
        """
        # Both sides: an upstream that does not read holds up the sending.
        super().__init__(
            total=total,
            is_disconnected=is_disconnected,
            must_end=must_end,
            how=socket.SHUT_RDWR,
            clock=clock,
        )
        self._caller, self.trace = caller, None if caller is None else caller.trace
        self._span: AttemptSpan | None = None  # of the attempt in progress, where it is traced
        self._place = b""  # the lines of its request that tell the upstream of the trace
        self._has_client_deadline = has_client_deadline
        self._on_first_attempt = on_first_attempt
        self._attempts: list[Attempt] = []
        self._queued = self._spent = 0.0  # the latter by the attempts that have ended
        self._attempt_began_at: float | None = None
        self._first_token: float | None = None

    @property
    def caller_name(self) -> str:
        """Whose call it is; empty where nobody said."""
        return self._caller.name if self._caller is not None else ""

    @property
    def client_deadline_passed(self) -> bool:
        """Whether the time is over that the client asked for, rather than the upstream's."""
        return self._has_client_deadline and not self.remaining

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts so far, in order; the last may still be in progress."""
        return tuple(self._attempts)

    @property
    def attempt_count(self) -> int:
        """How many attempts were made so far."""
        return len(self._attempts)

    @property
    def allows_attempt(self) -> bool:
        """Whether another attempt may be made: there are attempts and time left."""
        return len(self._attempts) < MAX_ATTEMPTS and self.remaining > 0

    @property
    def allows_correction(self) -> bool:
        """Whether another attempt may be made and can end in time: about as long as the last."""
        return self.allows_attempt and self.remaining > self._attempts[-1].seconds

    def progress(self) -> tuple[tuple[Attempt, ...], Timing, bool]:
        """Return the attempts, where the time went, and whether the client's deadline passed."""
        timing = Timing(self._queued, self._time_upstream(), self._first_token)
        return tuple(self._attempts), timing, self.client_deadline_passed

    def _time_upstream(self) -> float:
        if self._attempt_began_at is None:
            return self._spent
        return self._spent + self.clock() - self._attempt_began_at

    @property
    def ending(self) -> faults.Fault | None:
        """Why this service itself has ended the call; None if it has not.

        A call that took too long is the upstream's fault and does not count.
        """
        if self.is_client_gone:
            return faults.Fault(faults.ClientGone())
        # Asked once more: what woke us can have been the end of another part of the same call.
        if self.is_shut_down or self._must_end():
            return faults.Fault(faults.ShuttingDown())
        return None

    def headers(self) -> bytes:
        """Return the lines of HTTP that tell an upstream of the call: its ids, its trace.

        There may be none: nobody's call has no ids, and without a collector nothing is traced.
        `X-Client-Request-Id` is what the client is shown, the name that OpenAI has for it. Servers
        such as vLLM take `X-Request-Id` for their own id, and some refuse one that they are at work
        on (github.com/vllm-project/vllm/issues/10583): it differs from call to call and from
        attempt to attempt, whatever the client has sent.
        """
        caller = self._caller
        if caller is None or not caller.request_id:
            return self._place
        own, shown = caller.request_id, caller.shown_id or caller.request_id
        if not own.startswith(shown):
            own = f"{shown}.{own}"
        if len(self._attempts) > 1:
            own = f"{own}-{len(self._attempts)}"
        ids = f"X-Request-Id: {own}\r\nX-Client-Request-Id: {shown}\r\n".encode("ascii")
        return ids + self._place

    def attempt(self, upstream: str, endpoint: str, model: str) -> "AttemptRecord":
        """Record the attempt made inside a `with`, with its duration and how it ended.

        Args:
            upstream: name of the upstream.
            endpoint: name of its key or address.
            model: name of the model there.
        """
        return AttemptRecord(self, Attempt(upstream, endpoint, model))

    def begin_attempt(self, attempt: Attempt) -> None:
        """Record that an attempt begins; raises ApiError if the call must not be made."""
        self._attempts.append(attempt)
        if len(self._attempts) == 1 and self._on_first_attempt is not None:
            self._on_first_attempt()
        self._attempt_began_at = self.clock()

    def end_attempt(self, reason: str | None, status: int | None = None, said: str = "") -> None:
        """Record that the last attempt has ended: for a reason, of which was `said`, or well."""
        total = self._time_upstream()
        seconds = total - self._spent
        self._spent, self._attempt_began_at = total, None
        last = self._attempts[-1]
        self._attempts[-1] = Attempt(
            last.upstream, last.endpoint, last.model, reason, seconds, status, said
        )
        if self._span is not None:
            began_after = total - seconds
            first = None if self._first_token is None else self._first_token - began_after
            first = first if first is not None and first >= 0 else None
            self._span.end(reason, first, status=status, said=said)
            self._span, self._place = None, b""

    def record_rejection(self, reason: str) -> None:
        """Record why the answer of the last attempt was not used, although it succeeded."""
        self._attempts[-1] = replace(self._attempts[-1], reason=reason)

    def trace_attempt(self, operation: str, body: Mapping[str, Any], server: Server) -> None:
        """Open the span of the attempt in progress; to be asked only where there is a trace.

        Args:
            operation: what is asked for.
            body: what is sent.
            server: where to.
        """
        if self.trace is None:
            return
        self._place = self.trace.head
        if not self.trace.is_sampled:
            return
        first, last = self._attempts[0], self._attempts[-1]
        number = len(self._attempts)
        is_fallback = (last.upstream, last.model) != (first.upstream, first.model)
        after = self._attempts[-2].reason if number > 1 else None
        self._span = self.trace.attempt(
            SentRequest(
                operation, last.model, server, body, last.endpoint, number, is_fallback, after
            )
        )
        if self._span is not None:
            self._place = self._span.head

    def trace_answer(self, answer: TracedAnswer) -> None:
        """Have the attempt's span describe an answer; to be asked only where there is a trace."""
        if self._span is not None:
            self._span.record_answer(answer)

    def trace_stream(self, answer: TracedAnswer, first: Sequence[bytes], others: Source) -> Source:
        """Do the same for a streamed answer; returns the source of its chunks after the `first`."""
        if self._span is None:
            return others
        self._span.record_answer(answer)
        return self._span.observed(first, others)

    def record_queueing(self, seconds: float) -> None:
        """Add to the time that the call waited for a free place at an upstream."""
        self._queued += seconds

    def record_first_token(self) -> None:
        """Record that the answer begins now."""
        self._first_token = self._time_upstream()

    def pause(self, seconds: float, sleep: Callable[[float], None]) -> None:
        """Wait `seconds` before the next attempt, in short steps of `sleep`.

        Raises faults.Fault if the call is ended meanwhile.
        """
        while seconds > 0 and self.remaining:
            step = min(seconds, INTERVAL)
            sleep(step)
            seconds -= step
            self.check()
            if (ending := self.ending) is not None:
                raise ending


class AttemptRecord:
    """Records one attempt of a call; a generator would cost four times as much."""

    __slots__ = ("_attempt", "_call")

    def __init__(self, call: UpstreamCall, attempt: Attempt) -> None:
        """Record nothing yet."""
        self._call, self._attempt = call, attempt

    def __enter__(self) -> None:
        """Record the beginning; raises ApiError if the call must not be made."""
        self._call.begin_attempt(self._attempt)

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Record the end."""
        if isinstance(error, faults.Fault):
            of = error.error
            self._call.end_attempt(of.reason, of.upstream_status, of.upstream_said)
        elif isinstance(error, faults.RetryDifferently):
            of = error.fault.error
            self._call.end_attempt(error.word, of.upstream_status, of.upstream_said)
        else:
            self._call.end_attempt(None)
