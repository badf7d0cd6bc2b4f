"""Uses are counted where the store is, and in memory while it is away."""

from typing import Any

import pytest

from llm_api.domain.access import LimitState
from llm_api.services.quotas.rate_counter import MonotonicMemoryStorage, RateCounter, parse_limits

ITEMS = parse_limits("10/hour")
AWAY_S = 10.0
WARNING = "limits are counted in memory for a while"


class Away(MonotonicMemoryStorage):
    """A store that can be away."""

    def __init__(self) -> None:
        """Begin there."""
        super().__init__()
        self.is_away = False
        self.asked = 0

    def use(self, *arguments: Any, **options: Any) -> LimitState:
        """Count, if it is there."""
        self.asked += 1
        if self.is_away:
            raise ConnectionError
        return super().use(*arguments, **options)


@pytest.fixture
def storage() -> Away:
    """Make the store."""
    return Away()


@pytest.fixture
def times() -> list[float]:
    """Hold the time in a list of one."""
    return [0.0]


@pytest.fixture
def counter(storage: Away, times: list[float]) -> RateCounter:
    """Count in that store."""
    return RateCounter(storage, ConnectionError, lambda: times[0])


def remaining(counter: RateCounter, *costs: int) -> list[int]:
    """Take so much, one after the other; return what was left, -1 where it was refused."""
    states = [counter.hit(ITEMS, "key", cost=cost) for cost in costs]
    return [-1 if state.is_exceeded else state.remaining for state in states]


def test_a_use_says_what_is_left(counter: RateCounter) -> None:
    state = counter.hit(ITEMS, "key", cost=3)

    assert state == LimitState("10 per 1 hour", 10, 7, state.reset_in)
    assert 0 <= state.reset_in <= 3_600


def test_what_is_refused_uses_nothing_up(counter: RateCounter) -> None:
    assert remaining(counter, 6, 5, 11, 4, 1) == [4, -1, -1, 0, -1]


def test_the_limit_with_the_least_left_is_told_of(counter: RateCounter) -> None:
    state = counter.hit(parse_limits("5/hour;3/day"), "key")

    assert (state.limit, state.remaining) == (3, 2)


def test_of_several_limits_the_one_that_is_exceeded_is_told_of(counter: RateCounter) -> None:
    items = parse_limits("5/hour;3/day")

    states = [counter.hit(items, "key") for _ in range(4)]

    assert [state.is_exceeded for state in states] == [False] * 3 + [True]
    assert states[-1].text == "3 per 1 day"


def test_everybody_has_a_count_of_his_own(counter: RateCounter) -> None:
    counter.hit(ITEMS, "key", cost=10)

    assert counter.hit(ITEMS, "another", cost=10).remaining == 0


@pytest.mark.parametrize(("cost", "left"), [(3, 2), (5, 0), (6, -1), (500, -1)])
def test_what_was_used_already_is_counted_up_to_the_limit(
    counter: RateCounter, cost: int, left: int
) -> None:
    remaining(counter, 4)

    counter.add(ITEMS, "key", cost)
    counter.add(ITEMS, "key", 0)

    assert remaining(counter, 1) == [left]


def test_while_the_store_is_away_uses_are_counted_in_memory(
    counter: RateCounter, storage: Away, caplog: pytest.LogCaptureFixture
) -> None:
    storage.is_away = True

    assert remaining(counter, 6, 5, 4, 1) == [4, -1, 0, -1]

    assert storage.asked == 1
    assert [record.message for record in caplog.records] == [WARNING]


def test_a_store_that_is_back_is_asked_again(
    counter: RateCounter, storage: Away, times: list[float]
) -> None:
    remaining(counter, 6)
    storage.is_away = True
    remaining(counter, 1)
    storage.is_away = False
    times[0] += AWAY_S

    assert remaining(counter, 1) == [3]


def test_an_addition_meets_a_store_that_is_away(counter: RateCounter, storage: Away) -> None:
    storage.is_away = True

    counter.add(ITEMS, "key", 8)

    assert remaining(counter, 3, 2) == [-1, 0]


def test_in_memory_the_first_limit_that_is_exceeded_is_told_of() -> None:
    in_memory = RateCounter(MonotonicMemoryStorage(), ())
    items = parse_limits("5/hour;3/day")

    states = [in_memory.hit(items, "key") for _ in range(4)]
    in_memory.add(items, "key", 9)

    assert [(state.limit, state.remaining) for state in states] == [(3, 2), (3, 1), (3, 0), (3, 0)]
    assert [state.is_exceeded for state in states] == [False] * 3 + [True]
    assert in_memory.hit(items[:1], "key").is_exceeded
