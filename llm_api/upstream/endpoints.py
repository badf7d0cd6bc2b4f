"""The keys and addresses of one upstream: they share its load, and the broken ones are left out."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.transport import Transport
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from llm_api.upstream.resilience.retry_policy import Permit, learning


class PooledEndpoint:
    """One key at one address: its connections, its circuit breaker, and its calls in progress."""

    def __init__(self, name: str, transport: Transport, breaker: CircuitBreaker) -> None:
        """Begin with no call."""
        self.name = name
        self.transport = transport
        self.breaker = breaker
        self.calls = 0


class EndpointPool:
    """Chooses among them."""

    def __init__(self, lines: Sequence[PooledEndpoint]) -> None:
        """Take at least one."""
        self._lines = list(lines)
        self._lock = threading.Lock()

    def has_other(self, call: UpstreamCall) -> bool:
        """Tell whether there is one that could be used and that the call has not tried."""
        if len(self._lines) == 1:
            return False
        tried = {attempt.line for attempt in call.tries}
        return any(line.name not in tried and not line.breaker.wait for line in self._lines)

    @contextmanager
    def chosen(self, call: UpstreamCall) -> Iterator[tuple[PooledEndpoint, Permit]]:
        """Lend the best line for the next attempt of the call, and learn from how that ends.

        Raises CircuitOpen.

        The best one is untried, is not left alone for its faults, and has the fewest calls. One
        that was left alone long enough comes first: somebody has to find out.
        """
        line, permit = self._choose(call)
        try:
            with learning(permit, call):
                yield line, permit
        finally:
            with self._lock:
                line.calls -= 1

    def _choose(self, call: UpstreamCall) -> tuple[PooledEndpoint, Permit]:
        tried = {attempt.line for attempt in call.tries}
        # Choosing and asking the breaker are one step: of two calls that find the same probe due,
        # the second goes elsewhere.
        with self._lock:
            usable = [line for line in self._lines if not line.breaker.wait]
            if not usable:
                raise CircuitOpen(min(line.breaker.wait for line in self._lines))
            best = min(
                usable, key=lambda line: (line.name in tried, not line.breaker.is_open, line.calls)
            )
            permit = Permit(best.breaker)
            best.calls += 1
            # The next call without a reason to prefer another begins with the next in the row.
            self._lines.append(self._lines.pop(self._lines.index(best)))
        return best, permit

    def close(self) -> None:
        """Close the idle connections."""
        for line in self._lines:
            line.transport.close()

    @property
    def first(self) -> PooledEndpoint:
        """One of them, for a look at the upstream that is no call."""
        with self._lock:
            return min(self._lines, key=lambda line: line.breaker.is_open)
