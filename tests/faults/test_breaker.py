"""C20 and C31 to C33: an upstream that stays ill is left alone, and one that is well never is."""

import json
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.gateway import (
    ANSWER,
    JUDGED,
    Gateway,
    faulty_service,
    held_to_all_invariants,
    in_both_dialects,
    judged_by,
    told,
)
from tests.support.paced import Gated
from tests.support.replies import api_error, hang
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, CHATS
from tests.web.streams import PATIENCE

FAULTS_TO_OPEN = 5
OPEN_S = 4.0
SOONEST_S = 0.9 * OPEN_S
CALLERS = 4
FIRST_BYTE_TIMEOUT = 60.0
FOR_EVER = 600.0
CHUNKED_JSON = (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"))


@pytest.fixture(scope="module")
def service_env() -> Mapping[str, str]:
    """Switch the breaker on, as it is shipped."""
    return {"CIRCUIT_BREAKER": "true", "UPSTREAM_FIRST_BYTE_TIMEOUT": str(FIRST_BYTE_TIMEOUT)}


@pytest.fixture(scope="module")
def timings() -> Timings:
    """Leave an upstream alone for a shorter time."""
    return Timings(open_circuit=OPEN_S)


@dataclass(frozen=True)
class UpstreamCall:
    """How a call ended: `reason` is None for an answer."""

    status: int
    reason: str | None
    seconds: float


def call(gateway: Gateway, path: str) -> UpstreamCall:
    """Make a call."""
    began_at = time.monotonic()
    with gateway.ask(path) as answer:
        document = json.loads(answer.read_body())
        reason = document["error"]["details"]["reason"] if "error" in document else None
        return UpstreamCall(answer.status, reason, time.monotonic() - began_at)


@contextmanager
def load(gateway: Gateway) -> Iterator[list[UpstreamCall]]:
    """Make calls all the time, from several clients; lend the list of those that have ended."""
    ended: list[UpstreamCall] = []
    is_over = threading.Event()

    def repeat(path: str) -> None:
        while not is_over.wait(0.05):
            ended.append(call(gateway, path))

    with ThreadPoolExecutor(CALLERS) as callers:
        running = [callers.submit(repeat, CHATS[number % 2]) for number in range(CALLERS)]
        try:
            yield ended
        finally:
            is_over.set()
    assert not [error for one in running if (error := one.exception())]


def refused_by_the_breaker(gateway: Gateway, path: str) -> None:
    """Make a call that never leaves the service, and has no usage row."""
    left = gateway.fail(path)

    assert left.retry_after is not None
    assert 1 <= int(left.retry_after) <= 1.1 * OPEN_S
    is_open = (503, "SERVICE_ERROR", "circuit_open", True)
    assert left == told(path, is_open, hits=0, retry_after=int(left.retry_after))


def seconds_until_left_alone(gateway: Gateway) -> float:
    """Fail until the circuit is open; return the time of the last request to the upstream."""
    gateway.upstream.script(*[api_error(503)] * 1_000)
    with load(gateway) as ended:
        wait_until(lambda: len(ended) >= 100, PATIENCE, "calls end")
    hits = len(gateway.upstream.requests)
    # All clients can be at the upstream when the circuit opens, and each may have a repeat.
    assert FAULTS_TO_OPEN <= hits <= FAULTS_TO_OPEN + 2 * CALLERS
    assert hits <= 1.2 * len(ended)
    return gateway.upstream.requests[-1].received_at


def test_c31_c32_constant_failure_and_the_way_back(gateway: Gateway) -> None:
    opened_at = seconds_until_left_alone(gateway)
    with load(gateway) as ended:
        wait_until(lambda: len(ended) >= 50, PATIENCE, "calls end")
    for path in CHATS:
        refused_by_the_breaker(gateway, path)

    assert {(one.status, one.reason) for one in ended} == {(503, "circuit_open")}
    assert statistics.median(one.seconds for one in ended) <= 0.05 * FIRST_BYTE_TIMEOUT
    assert gateway.upstream.requests[-1].received_at == opened_at  # no request since

    gateway.upstream.clear()
    probe = Gated([json.dumps(ANSWER).encode()], CHUNKED_JSON)
    gateway.upstream.script(probe)
    with load(gateway) as ended:
        wait_until(lambda: gateway.upstream.requests, 2 * OPEN_S, "one call is let through")
        begun = len(ended)
        wait_until(lambda: len(ended) >= begun + 20, PATIENCE, "the others end")
        assert len(gateway.upstream.requests) == 1
        assert {one.reason for one in ended} == {"circuit_open"}
        probe.let_go()
        wait_until(lambda: ended[-1].status == 200, PATIENCE, "the circuit closes")

    assert gateway.upstream.requests[0].received_at - opened_at >= SOONEST_S
    assert {call(gateway, path).status for path in CHATS * 10} == {200}


@in_both_dialects
def test_c33_flood_of_client_errors(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(*[api_error(400, "invalid_parameter")] * 30)

    reasons = {gateway.refuse(path).reason for _ in range(30)}
    refused_here = {gateway.refuse(path, temperature=9).reason for _ in range(30)}

    assert (reasons, refused_here) == ({"upstream_rejected"}, {"out_of_range"})
    assert gateway.succeed(path) == (1, ("ok", None, 1))


@in_both_dialects
def test_c33_flood_of_client_disconnects(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(*[hang(FOR_EVER)] * 30)
    model = f"left-by-{path}"

    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(gateway.ask(path, model=model))
        wait_until(lambda: len(gateway.upstream.requests) == 30, PATIENCE, "all have arrived")
    wait_until(lambda: not gateway.upstream.open_connections, PATIENCE, "they are let go")

    assert gateway.succeed(path) == (1, ("ok", None, 1))
    rows = gateway.rows("requested_model", model)
    assert [row["status"] for row in rows] == ["client_closed"] * 30


@pytest.mark.parametrize(("status", "code"), [(400, "Arrearage"), (403, "AccountOverdueError")])
def test_c20_account_refused_opens_the_circuit(
    tmp_path: Path, upstream: ScriptedUpstream, status: int, code: str
) -> None:
    with (
        ScriptedUpstream() as judge,
        faulty_service(
            tmp_path, upstream, {"CIRCUIT_BREAKER": "true", **judged_by(judge.url)}
        ) as service,
        held_to_all_invariants(service, upstream) as gateway,
    ):
        judge.script(api_error(status, code))

        refusals = [gateway.refuse(CHAT, model=JUDGED) for _ in range(3)]

        assert [one.reason for one in refusals] == ["upstream_account", *["circuit_open"] * 2]
        assert len(judge.requests) == 1
