"""The endpoints of one upstream: which one gets an attempt, and how many calls go on at once."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from llm_api.domain.tracing import Server
from llm_api.domain.upstream_plans import Endpoint, UpstreamPlan
from llm_api.domain.upstream_states import EndpointState
from llm_api.runtime.concurrency import ConcurrencyLimit
from llm_api.upstream import faults, probes
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.transport import Transport
from llm_api.upstream.resilience.child_revival import ChildRevival
from llm_api.upstream.resilience.circuit_breaker import CircuitOpen
from llm_api.upstream.resilience.endpoint_health import (
    FAILURES,
    OURS,
    EndpointHealth,
    Probes,
    give_up,
)
from llm_api.upstream.resilience.retry_policy import RetryPolicy


class Permit:
    """An attempt that was admitted at an endpoint."""

    def __init__(self, health: EndpointHealth, body: Mapping[str, Any], call: UpstreamCall) -> None:
        """Ask for it; raises CircuitOpen."""
        self._health, self._body, self._call = health, body, call
        # While all is well, neither beginning nor end need be looked at any closer.
        self._probes: Probes = () if health.is_well else health.enter(body, call)
        self._has_succeeded = False

    def succeed(self) -> None:
        """Report a success; a stream that began well can still fail."""
        if not self._has_succeeded:
            self._end(None)
            self._has_succeeded = True

    def __enter__(self) -> Self:
        """Report how the attempt inside the block ends."""
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Report an end, because of an error or well."""
        if error is None:
            self.succeed()
        elif not isinstance(error, faults.Fault) or self._is_ours(error):
            self._give_up()
        elif not self._has_succeeded or error.error.reason in FAILURES:
            self._end(error)

    def _is_ours(self, fault: faults.Fault) -> bool:
        """Whether a fault says nothing of the upstream.

        An impatient client must not make it look broken and close it for everybody.
        """
        return self._call.client_deadline_passed or fault.error.reason in OURS

    def _end(self, fault: faults.Fault | None) -> None:
        probes, self._probes = self._probes, ()
        if fault is None and self._health.is_well:
            return
        has_answered = self._has_succeeded
        self._health.leave(self._body, self._call, probes, fault, has_answered=has_answered)

    def _give_up(self) -> None:
        give_up(self._probes)
        self._probes = ()


def server_of(provider: str, url: str) -> Server:
    """Return how spans name the endpoint of a `provider`, its profile's name, at an address."""
    parts = urlsplit(url)
    return Server(
        provider, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    )


class PooledEndpoint:
    """One key at one address: its connections, its health and its calls in progress."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        health: EndpointHealth,
        is_back: Callable[[Transport], bool] | None = None,
        *,
        server: Server,
    ) -> None:
        """Create an endpoint without calls.

        Args:
            name: stands in usage rows and logs.
            transport: calls it.
            health: says whether it may be called.
            is_back: asks a process that is started again when it has ended; None for all others.
            server: what spans say of it.
        """
        self.name = name
        self.transport = transport
        self.health = health
        self.server = server
        self.revival = ChildRevival(partial(is_back, transport), health) if is_back else None
        self.calls_in_progress = 0

    def count_call(self, change: int) -> None:
        """Count a call that begins, 1, or has ended, -1."""
        self.calls_in_progress += change


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

    def slot(self, call: UpstreamCall) -> "_Slot":
        """Occupy a slot for the duration of a `with`; raises ApiError if none is free in time."""
        return _Slot(self, call)

    def occupy(self, call: UpstreamCall) -> None:
        """Occupy a slot; raises an ApiError if none is free in time."""
        if self.limit.try_acquire():
            return
        self._wait(call)
        call.check()  # nothing watched it meanwhile
        if (ending := call.ending) is not None:
            self.limit.release()
            raise ending.error

    def _wait(self, call: UpstreamCall) -> None:
        began_at = time.monotonic()
        has_slot = self.limit.acquire(min(self._queue_timeout, call.remaining))
        call.record_queueing(time.monotonic() - began_at)
        if not has_slot:
            raise faults.overloaded()

    def has_other(self, call: UpstreamCall, body: Mapping[str, Any]) -> bool:
        """Whether there is a usable endpoint for a request that the call has not tried."""
        if len(self._endpoints) == 1:
            return False
        tried = {attempt.endpoint for attempt in call.attempts}
        return any(
            endpoint.name not in tried and not endpoint.health.wait(body, call)
            for endpoint in self._endpoints
        )

    def acquire(self, call: UpstreamCall, body: Mapping[str, Any]) -> tuple[PooledEndpoint, Permit]:
        """Choose the best endpoint for the call's next attempt, until it is released.

        The best one was not tried by this call, is not failing and has the fewest calls. One whose
        circuit was open long enough comes first, as its probe. Raises CircuitOpen.
        """
        if len(self._endpoints) == 1:  # nothing to choose: spares a few microseconds a call
            [only] = self._endpoints
            try:
                permit = Permit(only.health, body, call)
            except CircuitOpen:
                if only.revival is None or not only.revival.revive():
                    raise
                permit = Permit(only.health, body, call)
            with self._lock:
                only.count_call(1)
            return only, permit
        tried = {attempt.endpoint for attempt in call.attempts}
        # Choosing and asking the breaker are one step: of two calls that find the same probe due,
        # the second goes to another endpoint.
        with self._lock:
            waits = [one.health.wait(body, call) for one in self._endpoints]
            usable = [one for one, wait in zip(self._endpoints, waits, strict=True) if not wait]
            if not usable:
                raise CircuitOpen(min(waits))
            best = min(
                usable,
                key=lambda endpoint: (
                    endpoint.name in tried,
                    not endpoint.health.is_open(body, call),
                    endpoint.calls_in_progress,
                ),
            )
            permit = Permit(best.health, body, call)
            best.count_call(1)
            # Without a reason to prefer another, the next call begins with the next in the row.
            self._endpoints.append(self._endpoints.pop(self._endpoints.index(best)))
        return best, permit

    def release(self, endpoint: PooledEndpoint) -> None:
        """Record that an attempt at an endpoint has ended."""
        with self._lock:
            endpoint.count_call(-1)

    def close(self) -> None:
        """Close the idle connections."""
        for endpoint in self._endpoints:
            endpoint.transport.close()

    def states(self) -> list[EndpointState]:
        """Return how each of the endpoints is, in this process."""
        with self._lock:
            endpoints = sorted(self._endpoints, key=lambda endpoint: endpoint.name)
        return [
            EndpointState(
                endpoint.name,
                endpoint.server.host,
                is_open=endpoint.health.line.is_open,
                wait_s=endpoint.health.line.wait,
                open_models=tuple(endpoint.health.models.open_models),
                calls_in_progress=endpoint.calls_in_progress,
            )
            for endpoint in endpoints
        ]

    @property
    def open_circuits(self) -> int:
        """How many of the endpoints have a circuit that is open."""
        return sum(endpoint.health.has_open_circuit for endpoint in self._endpoints)

    @property
    def first(self) -> PooledEndpoint:
        """An endpoint to ask for what concerns all, one that works if there is one."""
        with self._lock:
            return min(self._endpoints, key=lambda endpoint: endpoint.health.has_open_circuit)


class _Slot:
    """A place among the calls in progress; a generator would cost four times as much."""

    __slots__ = ("_call", "_pool")

    def __init__(self, pool: EndpointPool, call: UpstreamCall) -> None:
        self._pool, self._call = pool, call

    def __enter__(self) -> None:
        """Occupy it."""
        self._pool.occupy(self._call)

    def __exit__(self, *_: object) -> None:
        """Free it."""
        self._pool.limit.release()


def new_pool(
    plan: UpstreamPlan,
    behavior: UpstreamBehavior,
    provider: str,
    policy: RetryPolicy,
    transport: Callable[[Endpoint], Transport],
) -> EndpointPool:
    """Return the pool of an upstream, whose endpoints are numbered if there are several.

    Args:
        plan: the endpoints.
        behavior: of the upstream.
        provider: the name of its profile.
        policy: knows when an endpoint is well.
        transport: creates what calls one.
    """
    count = len(plan.endpoints)
    names = [behavior.name if count == 1 else f"{behavior.name}/{n + 1}" for n in range(count)]
    is_back = probes.return_of(behavior)
    return EndpointPool(
        [
            PooledEndpoint(
                name,
                transport(endpoint),
                policy.new_health(name, plan.model),
                is_back,
                server=server_of(provider, endpoint.url),
            )
            for name, endpoint in zip(names, plan.endpoints, strict=True)
        ],
        behavior.max_concurrency,
        behavior.queue_timeout,
    )
