"""Calls that reserve at the same time do so together, and none has to answer for another."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from llm_api.domain.access import Reservation
from llm_api.services.quotas.reservations import Reservations
from llm_api.storage import StoreError
from llm_api.storage.threads import StoreThreads
from tests.services.quotas.holding import PATIENCE, WANTED, HoldingBudgets
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Calls:
    """Calls in threads that reserve in a store which holds back those of `key_1`."""

    def __init__(self, pool: ThreadPoolExecutor, max_wait: float) -> None:
        """Call nothing yet."""
        self.store = HoldingBudgets("key_1")
        self.reservations = Reservations(self.store, StoreThreads(4), max_wait)
        self._pool = pool

    def reserve(self, name: str, key_id: str = "key_1") -> Future[Reservation | None]:
        """Begin to reserve, in a thread."""
        return self._pool.submit(self.reservations.reserve, key_id, name, NOW, WANTED)

    def waiting(self, *names: str) -> list[Future[Reservation | None]]:
        """Begin to reserve, one after the other, where all have to wait for a group."""
        futures = []
        for name in names:
            before = self.reservations.waiting
            futures.append(self.reserve(name))
            wait_until(
                lambda before=before: self.reservations.waiting > before, PATIENCE, self._told
            )
        return futures

    def await_groups(self, count: int) -> None:
        """Wait until so many groups have reached the store."""
        wait_until(lambda: len(self.store.groups) == count, PATIENCE, self._told)

    def _told(self) -> str:
        return f"groups: {self.store.groups}, waiting: {self.reservations.waiting}"


@pytest.fixture
def max_wait() -> float:
    """Say how long a call waits."""
    return PATIENCE


@pytest.fixture
def calls(max_wait: float) -> Iterator[Calls]:
    """Make calls."""
    with ThreadPoolExecutor(16) as pool:
        yield Calls(pool, max_wait)


def test_calls_that_come_while_others_reserve_are_the_next_group(calls: Calls) -> None:
    first = calls.reserve("req_0")
    calls.await_groups(1)
    others = calls.waiting(*(f"req_{n}" for n in range(1, 6)))

    calls.store.let_go(2)

    assert [one.result(PATIENCE) for one in (first, *others)] == [None] * 6
    assert calls.store.groups == [["req_0"], [f"req_{n}" for n in range(1, 6)]]


def test_a_group_that_is_held_up_holds_up_no_other_key(calls: Calls) -> None:
    held = calls.reserve("req_0")
    calls.await_groups(1)
    same_key = calls.waiting("req_1")

    others = [calls.reserve(f"req_{n}", "key_2") for n in range(2, 5)]

    assert [one.result(PATIENCE) for one in others] == [None] * 3
    assert not held.done()
    assert ["req_0"] in calls.store.groups
    assert not any("req_1" in group for group in calls.store.groups)
    calls.store.let_go(2)
    assert [one.result(PATIENCE) for one in (held, *same_key)] == [None] * 2


def test_what_fails_for_a_group_fails_for_all_its_calls_and_leaves_nothing(calls: Calls) -> None:
    first = calls.reserve("req_0")
    calls.await_groups(1)
    others = calls.waiting("req_1", "req_2")
    calls.store.fails = True

    calls.store.let_go(2)

    for one in (first, *others):
        with pytest.raises(StoreError, match="broke off"):
            one.result(PATIENCE)
    calls.store.fails = False
    calls.reservations.reserve("key_2", "req_9", NOW, WANTED)
    assert calls.store.reserved == ["req_9"]


@pytest.mark.parametrize("max_wait", [0.5])
def test_a_call_waits_no_longer_for_its_turn_than_it_may(calls: Calls) -> None:
    first = calls.reserve("req_0")
    calls.await_groups(1)

    [late] = calls.waiting("req_1")

    with pytest.raises(StoreError, match="does not answer"):
        late.result(PATIENCE)
    calls.store.let_go()
    assert first.result(PATIENCE) is None
    assert calls.store.reserved == ["req_0"]
    calls.store.let_go()
    assert calls.reservations.reserve("key_1", "req_2", NOW, WANTED) is None


@pytest.mark.parametrize("max_wait", [2.0])
def test_a_call_that_gives_up_within_a_group_keeps_nothing(calls: Calls) -> None:
    first = calls.reserve("req_0")
    calls.await_groups(1)
    second, third = calls.waiting("req_1", "req_2")
    calls.store.let_go()
    calls.await_groups(2)
    # The newest leads, and a leader waits for the store as long as a thread may take.
    with pytest.raises(StoreError, match="does not answer"):
        second.result(PATIENCE)

    calls.store.let_go()

    assert (first.result(PATIENCE), third.result(PATIENCE)) == (None, None)
    assert calls.store.groups[1] == ["req_1", "req_2"]
    assert calls.store.reserved == ["req_0", "req_2"]


@pytest.fixture(scope="module")
def under_gevent() -> Any:
    """Run the process under gevent, and return what it found; nothing is printed besides."""
    command = [sys.executable, "-m", "tests.services.quotas.reserving"]
    run = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return json.loads(run.stdout)


def test_under_gevent_calls_at_once_are_few_groups(under_gevent: Any) -> None:
    assert under_gevent["at once"] == [[None] * 40, True, 40]


@pytest.mark.parametrize("who", ["member", "waiter"])
def test_a_call_that_is_cut_keeps_nothing_and_stops_nobody(under_gevent: Any, who: str) -> None:
    outcomes, reserved = under_gevent[who]

    assert outcomes == ["granted", "GreenletExit", "granted"]
    assert reserved == ["req_0", "req_2", "req_9"]


def test_where_a_call_is_cut_that_leads_a_group_nothing_stays_of_it(under_gevent: Any) -> None:
    outcomes, reserved = under_gevent["leader"]

    assert outcomes == ["granted", "StoreError", "GreenletExit"]
    assert reserved == ["req_0", "req_9"]


def test_while_the_store_hangs_each_call_waits_as_long_as_it_may(under_gevent: Any) -> None:
    assert under_gevent["hanging"] == [["StoreError"] * 6, True, "granted", ["req_9"]]


def test_many_calls_of_many_keys_all_come_to_an_end(calls: Calls) -> None:
    futures = [calls.reserve(f"req_{n}", f"key_{n % 5 + 2}") for n in range(300)]

    assert [one.result(PATIENCE) for one in futures] == [None] * 300
    assert sorted(calls.store.reserved) == sorted(f"req_{n}" for n in range(300))
