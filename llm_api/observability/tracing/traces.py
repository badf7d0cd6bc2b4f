"""The door to tracing: without a plan, or before its start, nothing is traced."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_api.domain.tracing import RequestTrace, Trace, TracingPlan
from llm_api.errors import ApiError

if TYPE_CHECKING:
    from llm_api.observability.tracing.recorder import Recorder

# What is waiting is sent at the end of a worker, within so many seconds.
DRAIN_S = 2.0


class Traces:
    """Makes the traces of one process."""

    def __init__(self, plan: TracingPlan | None) -> None:
        """Import and connect nothing yet; without a plan there are no traces."""
        self._plan = plan
        self._recorder: Recorder | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is a plan."""
        return self._plan is not None

    def start(self) -> None:
        """Start tracing in this process, which forks no more; once."""
        if self._plan is None or self._recorder is not None:
            return
        # Not at the top: without traces the packages need not be there, and cost 14 MiB.
        from llm_api.observability.tracing.recorder import Recorder  # noqa: PLC0415

        self._recorder = Recorder(self._plan)

    def request(self, headers: Mapping[str, str], started_ns: int) -> RequestTrace | None:
        """Open the span of a request; None where nothing is traced (yet).

        Args:
            headers: `traceparent` and `tracestate`, as far as they are there and believed.
            started_ns: when it came in, in nanoseconds since 1970.
        """
        recorder = self._recorder
        return None if recorder is None else recorder.request(headers, started_ns)

    @contextmanager
    def resumed(self, traceparent: str, name: str) -> Iterator[Trace | None]:
        """See domain.tracing.Resuming."""
        if self._recorder is None or not traceparent:
            yield None
            return
        work, reason = self._recorder.work(name, traceparent), None
        try:
            yield work
        except ApiError as error:
            reason = error.reason
            raise
        finally:
            work.end(reason)

    def close(self, seconds: float = DRAIN_S) -> None:
        """Send what waits, within `seconds` and at most DRAIN_S, and trace nothing more."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close(min(seconds, DRAIN_S))
