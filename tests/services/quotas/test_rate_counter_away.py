"""Counting goes on in memory while the store is away, and nobody waits for the store but one."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llm_api.domain.access import LimitState
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits
from tests.support.waiting import wait_until

LIMITS = parse_limits("1000/hour")
PAUSE = 10.0


class AwayError(Exception):
    """What the store raises."""


class Store:
    """A store that can be away, and then holds up who asks until the test lets him go."""

    def __init__(self) -> None:
        """Be well."""
        self.is_away = False
        self.asked = 0
        self.lets_go = threading.Event()

    def use(self, _item: object, _subject: str, cost: int) -> LimitState:
        """Count, or fail."""
        self.asked += cost
        if self.is_away:
            assert self.lets_go.wait(20)
            raise AwayError
        return LimitState("1000 per 1 hour", 1000, 999, 0.0, is_exceeded=False)


@pytest.fixture
def store() -> Store:
    """Make a store that is well."""
    return Store()


@pytest.fixture
def now() -> list[float]:
    """Hold the time."""
    return [0.0]


@pytest.fixture
def counter(store: Any, now: list[float]) -> RateCounter:
    """Count in that store."""
    return RateCounter(store, AwayError, clock=lambda: now[0])


def fall_silent(store: Store, counter: RateCounter) -> None:
    """Let the store be away, and one call find out."""
    store.is_away = True
    store.lets_go.set()
    counter.hit(LIMITS, "somebody")
    store.lets_go.clear()
    store.asked = 0


def test_while_the_store_is_away_one_call_in_a_while_waits_for_it(
    store: Store, counter: RateCounter, now: list[float]
) -> None:
    fall_silent(store, counter)
    now[0] += PAUSE
    with ThreadPoolExecutor(20) as callers:
        calls = [callers.submit(counter.hit, LIMITS, "somebody") for _ in range(20)]
        wait_until(lambda: sum(call.done() for call in calls) == 19, 20, "the others pass")
        assert store.asked == 1
        store.lets_go.set()

    assert {call.result().is_exceeded for call in calls} == {False}
    assert store.asked == 1


def test_a_store_that_is_away_is_told_of_once_until_it_is_back(
    store: Store, counter: RateCounter, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fall_silent(store, counter)
    store.lets_go.set()
    for _ in range(5):
        now[0] += PAUSE
        counter.hit(LIMITS, "somebody")
    store.is_away = False
    now[0] += PAUSE
    counter.hit(LIMITS, "somebody")
    counter.hit(LIMITS, "somebody")

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert store.asked == 7
