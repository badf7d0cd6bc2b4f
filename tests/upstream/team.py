"""A client of several keys and addresses, in a world whose clock is set by hand."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Barrier, BrokenBarrierError

import pytest

from llm_api.domain.calls import Completion, ModelRequest, never
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.errors import ApiError
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.profiles import choose_profile
from tests.support import replies
from tests.support.peer import Peer, RecordedRequest
from tests.support.ports import LOOPBACK, closed_port
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import MODEL, PATIENT, PLAIN, PROFILES, PROMPT

BODY = {"messages": [{"role": "user", "content": PROMPT}]}
OPEN_S = 33.0  # 30 s, and the upper end of the jitter
MANY = 60

ALWAYS: dict[str, Reply] = {
    "401": replies.api_error(401, "invalid_api_key"),
    "403": replies.api_error(403, "AccessDenied"),
    "503": replies.api_error(503),
}
IN_A_ROW = 5
HITS_UNTIL_OPEN = {"401": 1, "403": 1, "503": IN_A_ROW}
REASONS = {
    "401": "upstream_auth",
    "403": "upstream_auth",
    "503": "upstream_unavailable",
    "refused": "upstream_unreachable",
    "no connection": "connect_timeout",
}


@dataclass
class Held:
    """A good reply that waits until it is let go."""

    gate: threading.Event

    def answer(self, peer: Peer, request: RecordedRequest) -> bool:
        """Wait, and answer."""
        self.gate.wait(30)
        return replies.completion().answer(peer, request)


@dataclass
class Team:
    """A client of several keys and addresses, in a world whose clock is set by hand."""

    client: UpstreamClient
    pauses: list[float]
    now: list[float]
    calls: list[UpstreamCall] = field(default_factory=list)

    def ask(self) -> Completion:
        """Ask one question."""
        call = self.client.new_call(never, lambda: None)
        self.calls.append(call)
        return self.client.complete("asked", ModelRequest("asked", BODY), call)

    def fail(self) -> ApiError:
        """Ask, and return the error that must come."""
        with pytest.raises(ApiError) as raised:
            self.ask()
        return raised.value

    @property
    def attempts(self) -> list[tuple[str, str | None]]:
        """Return where the last call was tried, and how that ended."""
        return [(attempt.endpoint, attempt.reason) for attempt in self.calls[-1].attempts]

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on."""
        self.now[0] += seconds


TeamOf = Callable[..., Team]


class Gathering(CircuitBreaker):
    """A breaker before which the first few attempts wait for each other."""

    barrier: Barrier | None = None

    def enter(self) -> bool:
        """Wait for the others, and ask."""
        if self.barrier is not None:
            with suppress(BrokenBarrierError):
                self.barrier.wait(3)
        return super().enter()


class GatheringPolicy(RetryPolicy):
    """A policy with such breakers."""

    def new_breaker(self) -> CircuitBreaker:
        """Make one that knows this policy's clock."""
        return Gathering(self._clock, self._uniform)


@contextmanager
def teams_of(watch: DeadlineWatcher) -> Iterator[TeamOf]:
    """Make teams of addresses, each with a key of its own; they are closed in the end."""
    made: list[UpstreamClient] = []

    def build(
        *urls: str, timeouts: Timeouts = PATIENT, policy: type[RetryPolicy] = RetryPolicy
    ) -> Team:
        pauses, now = list[float](), [1_000.0]
        endpoints = tuple(Endpoint(url, MODEL, f"key-{n}") for n, url in enumerate(urls, 1))
        client = UpstreamClient(
            UpstreamPlan(endpoints),
            PLAIN,
            timeouts,
            watch,
            choose_profile(PROFILES, urls[0]),
            policy=policy(clock=lambda: now[0], sleep=pauses.append, uniform=lambda _, high: high),
        )
        made.append(client)
        return Team(client, pauses, now)

    yield build
    for client in made:
        client.close()


@contextmanager
def no_connections() -> Iterator[str]:
    """Give the address of a listener that takes no connection: its backlog is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server((LOOPBACK, 0), backlog=0))
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003  # socket's signature
            client.connect_ex(full.getsockname())
        yield f"http://{LOOPBACK}:{full.getsockname()[1]}/v1"


@contextmanager
def broken_address(kind: str, upstream: ScriptedUpstream) -> Iterator[str]:
    """Give the address of an upstream that always fails in such a way."""
    if kind == "refused":
        with closed_port() as port:
            yield f"http://{LOOPBACK}:{port}/v1"
    elif kind == "no connection":
        with no_connections() as url:
            yield url
    else:
        upstream.script(*[ALWAYS[kind]] * MANY)
        yield upstream.url
