"""Repeats are a fifth of the requests at most, but for a few."""

import pytest

from llm_api.upstream.resilience.retry_policy import RetryBudget


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_a_few_repeats_in_flight_are_always_allowed() -> None:
    budget = RetryBudget()

    assert [budget.acquire() for _ in range(4)] == [True, True, True, False]


def test_a_repeat_that_has_ended_makes_room_for_another() -> None:
    budget = RetryBudget()
    taken = [budget.acquire() for _ in range(3)]

    budget.release()

    assert taken == [True] * 3
    assert [budget.acquire(), budget.acquire()] == [True, False]


@pytest.mark.parametrize(("processes", "allowed"), [(1, 3), (2, 1), (3, 1), (16, 1)])
def test_processes_share_the_floor(processes: int, allowed: int) -> None:
    budget = RetryBudget(processes)

    assert sum(budget.acquire() for _ in range(10)) == allowed


def test_a_fifth_of_the_requests_can_be_repeated() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.record_request()

    assert sum(budget.acquire() for _ in range(100)) == 20


def test_requests_of_more_than_ten_seconds_ago_do_not_count() -> None:
    clock = Clock()
    budget = RetryBudget(clock=clock)
    for _ in range(100):
        budget.record_request()
    clock.now = 10.5

    assert sum(budget.acquire() for _ in range(100)) == 3


def test_where_there_is_traffic_no_more_than_a_fifth_is_repeated_however_fast() -> None:
    """An instant refusal is in flight for so short a time that the floor would let all through."""
    budget = RetryBudget()
    repeated = 0
    for _ in range(300):
        budget.record_request()
        if budget.acquire():
            repeated += 1
            budget.release()

    assert 55 <= repeated <= 15 + 60
