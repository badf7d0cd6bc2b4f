"""C39 and C42: an upstream that is full, or hangs, and one beside it that is well."""

import json
import statistics
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from tests.faults.gateway import (
    JUDGED,
    Gateway,
    in_both_dialects,
    judged_by,
    refusal_in,
)
from tests.support.paced import held_completion
from tests.support.replies import hang
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHATS, Refusal
from tests.web.streams import PATIENCE

PLACES = 32
CALLS = 400
CALLS_BESIDE = 60
FIRST_BYTE_TIMEOUT = 60.0
FOR_EVER = 600.0
OVERLOADED = (503, "SERVICE_ERROR", "overloaded", True)


@pytest.fixture(scope="module")
def judge() -> Iterator[ScriptedUpstream]:
    """Run the other upstream."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def service_env(judge: ScriptedUpstream) -> Mapping[str, str]:
    """Give each upstream few places."""
    return {
        **judged_by(judge.url),
        "UPSTREAM_CONCURRENCY": str(PLACES),
        "UPSTREAM_FIRST_BYTE_TIMEOUT": str(FIRST_BYTE_TIMEOUT),
    }


def shed(gateway: Gateway, path: str, model: str) -> Refusal | None:
    """Make a call; return how it was refused, with the wait that it was told, or None."""
    with gateway.ask(path, model=model) as answer:
        if answer.status == 200:
            assert json.loads(answer.read_body())["choices"]
            return None
        assert answer.header("Retry-After") == "1"
        assert answer.header("x-should-retry") is None  # nothing was spent
        return refusal_in(answer, path)


@contextmanager
def calls_at_once(
    gateway: Gateway, path: str, model: str
) -> Iterator[list[Future[Refusal | None]]]:
    """Make many calls in one moment."""
    with ThreadPoolExecutor(CALLS) as callers:
        yield [callers.submit(shed, gateway, path, model) for _ in range(CALLS)]


@in_both_dialects
def test_c39_more_calls_than_places(gateway: Gateway, path: str) -> None:
    model = f"crowded-by-{path}"
    held = held_completion()
    gateway.upstream.script(*[held] * CALLS)

    with calls_at_once(gateway, path, model) as calls:
        try:
            # No place becomes free before all others have been turned away.
            wait_until(
                lambda: (
                    len(gateway.upstream.requests) > PLACES
                    or sum(one.done() for one in calls) == CALLS - PLACES
                ),
                PATIENCE,
                "those without a place are turned away",
            )
            assert len(gateway.upstream.requests) == PLACES
        finally:
            held.let_go(CALLS)
        refusals = [refusal.verdict for one in calls if (refusal := one.result())]

    assert len(gateway.upstream.requests) == PLACES
    assert refusals == [OVERLOADED] * (CALLS - PLACES)
    rows = gateway.rows("requested_model", model)
    assert [row["status"] for row in rows] == ["ok"] * PLACES


def seconds_of_calls(gateway: Gateway) -> list[float]:
    """Make calls that must succeed, one after the other; return how long each took."""
    seconds = []
    for number in range(CALLS_BESIDE):
        began_at = time.monotonic()
        with gateway.ask(CHATS[number % 2]) as answer:
            assert answer.status == 200, answer.read_body()
            assert json.loads(answer.read_body())["choices"]
        seconds.append(time.monotonic() - began_at)
    return seconds


def test_c42_one_upstream_hangs(gateway: Gateway, judge: ScriptedUpstream) -> None:
    judge.script(*[hang(FOR_EVER)] * 2 * PLACES)
    seconds_of_calls(gateway)
    with ExitStack() as stack:
        for _ in range(2 * PLACES):
            stack.enter_context(gateway.ask(model=JUDGED))
        wait_until(lambda: len(judge.requests) >= PLACES, PATIENCE, "its places are taken")

        seconds = seconds_of_calls(gateway)

        assert judge.open_connections >= PLACES
    assert statistics.median(seconds) < 0.1 * FIRST_BYTE_TIMEOUT
    wait_until(lambda: judge.open_connections == 0, PATIENCE, "the hanging ones are let go")
