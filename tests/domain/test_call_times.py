"""Percentiles of calls that are counted in buckets: to the error that is stated."""

import random
from collections import Counter

import pytest

from llm_api.domain.call_times import BUCKETS, RELATIVE_ERROR, bucket_of, percentile

PERCENTS = (1, 50, 95, 99, 100)


def counted(times: list[int]) -> Counter[int]:
    """Count times by their buckets."""
    return Counter(map(bucket_of, times))


@pytest.mark.parametrize("spread", [0.2, 1.0, 3.0])
def test_a_percentile_is_the_time_of_a_call_to_the_stated_error(spread: float) -> None:
    chance = random.Random(66)  # noqa: S311  # the same times at every run
    for number in (1, 2, 19, 20, 21, 1_000):
        times = sorted(int(chance.lognormvariate(6, spread)) for _ in range(number))
        for percent in PERCENTS:
            exact = times[-(-number * percent // 100) - 1]
            found = percentile(counted(times), percent)
            assert found is not None
            assert abs(found - exact) <= exact * RELATIVE_ERROR + 0.5


def test_parts_that_are_added_up_tell_what_the_whole_does() -> None:
    chance = random.Random(17)  # noqa: S311  # the same times at every run
    times = [int(chance.lognormvariate(6, 2)) for _ in range(999)]
    parts = [counted(times[start::7]) for start in range(7)]

    total = sum(parts, Counter[int]())

    assert total == counted(times)


def test_every_time_has_a_bucket_and_later_times_no_earlier_one() -> None:
    times = [-5, 0, 1, 2, 3, 10, 999, 1_000, 86_400_000, 2**32, 2**40]

    buckets = [bucket_of(ms) for ms in times]

    assert buckets == sorted(buckets)
    assert (buckets[:3], buckets[-1]) == ([0, 0, 1], BUCKETS - 1)


def test_small_times_are_told_exactly() -> None:
    assert [percentile(counted([ms]), 50) for ms in range(11)] == list(range(11))


def test_no_calls_have_no_percentile() -> None:
    assert percentile({}, 50) is None
