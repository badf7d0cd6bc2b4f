"""The keys and addresses of one upstream: they share its load, and broken ones are passed over."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llm_api.runtime.concurrency import ConcurrencyLimit
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.transport import Transport
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, CircuitOpen, Permit


class PooledEndpoint:
    """One key at one address: its connections, its circuit breaker and its calls in progress."""

    def __init__(self, name: str, transport: Transport, breaker: CircuitBreaker) -> None:
        """Create an endpoint without calls; `name` stands in usage rows and logs."""
        self.name = name
        self.transport = transport
        self.breaker = breaker
        self.calls_in_progress = 0


class EndpointPool:
    """Limits the calls in progress, and chooses an endpoint for every attempt."""

    def __init__(
        self, endpoints: Sequence[PooledEndpoint], max_concurrency: int, queue_timeout: float
    ) -> None:
        """Create the pool of an upstream.

        Args:
            endpoints: at least one.
            max_concurrency: calls in progress, so that a hanging upstream delays no other.
            queue_timeout: seconds that a call waits for a slot, or less if its own time ends first.
        """
        self.limit = ConcurrencyLimit(max_concurrency)
        self._queue_timeout = queue_timeout
        self._endpoints = list(endpoints)
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, call: UpstreamCall) -> Iterator[None]:
        """Hold a slot for the duration of a call; raises an ApiError if none is free in time."""
        has_waited = not self.limit.try_acquire()
        if has_waited:
            self._wait(call)
        try:
            # Nothing watched the call while it waited.
            if has_waited and (ending := call.ending) is not None:
                raise ending.error
            yield
        finally:
            self.limit.release()

    def _wait(self, call: UpstreamCall) -> None:
        began_at = time.monotonic()
        has_slot = self.limit.acquire(min(self._queue_timeout, call.remaining))
        call.record_queueing(time.monotonic() - began_at)
        if not has_slot:
            raise faults.overloaded()
        call.check()

    def has_other(self, call: UpstreamCall) -> bool:
        """Whether there is a usable endpoint that the call has not tried."""
        if len(self._endpoints) == 1:
            return False
        tried = {attempt.endpoint for attempt in call.attempts}
        return any(
            endpoint.name not in tried and not endpoint.breaker.wait for endpoint in self._endpoints
        )

    @contextmanager
    def acquire(self, call: UpstreamCall) -> Iterator[tuple[PooledEndpoint, Permit]]:
        """Lend the best endpoint for the call's next attempt, and record how the attempt ends.

        The best one was not tried by this call, is not failing and has the fewest calls. One whose
        circuit was open long enough comes first, as its probe. Raises CircuitOpen.
        """
        endpoint, permit = self._choose(call)
        try:
            with permit.recording(call):
                yield endpoint, permit
        finally:
            with self._lock:
                endpoint.calls_in_progress -= 1

    def _choose(self, call: UpstreamCall) -> tuple[PooledEndpoint, Permit]:
        if len(self._endpoints) == 1:  # nothing to choose: spares a few microseconds a call
            [only] = self._endpoints
            permit = Permit(only.breaker)
            with self._lock:
                only.calls_in_progress += 1
            return only, permit
        tried = {attempt.endpoint for attempt in call.attempts}
        # Choosing and asking the breaker are one step: of two calls that find the same probe due,
        # the second goes to another endpoint.
        with self._lock:
            usable = [endpoint for endpoint in self._endpoints if not endpoint.breaker.wait]
            if not usable:
                raise CircuitOpen(min(endpoint.breaker.wait for endpoint in self._endpoints))
            best = min(
                usable,
                key=lambda endpoint: (
                    endpoint.name in tried,
                    not endpoint.breaker.is_open,
                    endpoint.calls_in_progress,
                ),
            )
            permit = Permit(best.breaker)
            best.calls_in_progress += 1
            # Without a reason to prefer another, the next call begins with the next in the row.
            self._endpoints.append(self._endpoints.pop(self._endpoints.index(best)))
        return best, permit

    def close(self) -> None:
        """Close the idle connections."""
        for endpoint in self._endpoints:
            endpoint.transport.close()

    @property
    def first(self) -> PooledEndpoint:
        """An endpoint for a health check, preferably one that works."""
        with self._lock:
            return min(self._endpoints, key=lambda endpoint: endpoint.breaker.is_open)
