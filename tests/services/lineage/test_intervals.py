"""Intervals of shares hold after every case, however long somebody goes on looking."""

import math
import random
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.lineage.intervals import Interval, Share, difference

CASES = 160
RUNS = 300
ERROR = 0.05
# Of so many runs; what is tested is 5 % and not chance.
SLACK = 3 * math.sqrt(ERROR * (1 - ERROR) / RUNS)


@cache
def interval_of(hits: int, count: int) -> Interval:
    """Return an interval, which many paths pass through."""
    return Share(hits, count).interval


def usual_interval_of(hits: int, count: int) -> Interval:
    """Return Wilson's interval, which holds for one look at a number of cases fixed before."""
    z, rate = 1.96, hits / count
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = math.sqrt(rate * (1 - rate) / count + z * z / (4 * count**2)) * z / (1 + z * z / count)
    return Interval(middle - half, middle + half)


def ever_missed(truth: float, interval_of: object = interval_of) -> float:
    """Return the exact probability that the interval misses the truth after any of the cases."""
    alive = {0: 1.0}  # by hits: the probability to be there without a miss so far
    for count in range(1, CASES + 1):
        after: dict[int, float] = {}
        for hits, chance in alive.items():
            after[hits + 1] = after.get(hits + 1, 0.0) + chance * truth
            after[hits] = after.get(hits, 0.0) + chance * (1 - truth)
        alive = {
            hits: chance
            for hits, chance in after.items()
            if (found := interval_of(hits, count)).low <= truth <= found.high  # type: ignore[operator]
        }
    return 1 - sum(alive.values())


@pytest.mark.parametrize("truth", [0.02, 0.1, 0.3, 0.5, 0.77, 0.95])
def test_a_share_is_missed_with_less_than_the_stated_probability_by_whoever_looks_all_the_time(
    truth: float,
) -> None:
    assert ever_missed(truth) <= ERROR


def test_the_usual_interval_misses_far_more_often() -> None:
    """That the test above can fail."""
    assert ever_missed(0.3, usual_interval_of) > 3 * ERROR


@pytest.mark.parametrize("truths", [(0.3, 0.3), (0.8, 0.6), (0.05, 0.5)])
def test_a_difference_is_missed_with_less_than_the_stated_probability(
    truths: tuple[float, float],
) -> None:
    chance = random.Random(16)  # noqa: S311  # a simulation
    missed = 0
    for _ in range(RUNS):
        hits, counts = [0, 0], [0, 0]
        for _ in range(60):
            arm = chance.random() < 0.3
            counts[arm] += 1
            hits[arm] += chance.random() < truths[arm]
            # An interval that misses the truth excludes it, which is cheaper to look at; see below.
            shares = [Share(hits[i], counts[i]) for i in (0, 1)]
            evidence = sum(s.evidence(t) for s, t in zip(shares, truths, strict=True))
            if evidence >= math.log(1 / ERROR):
                missed += 1
                break

    assert missed / RUNS <= ERROR + SLACK


@given(*[st.integers(0, 30)] * 4)
def test_the_interval_of_a_difference_is_what_both_truths_allow(
    first_hits: int, first_misses: int, second_hits: int, second_misses: int
) -> None:
    """Every pair of truths that the evidence allows has its difference in the interval."""
    first = Share(first_hits, first_hits + first_misses)
    second = Share(second_hits, second_hits + second_misses)

    found = difference(first, second)

    assert -1 <= found.low <= found.high <= 1
    for i in range(1, 20):
        for j in range(1, 20):
            if first.evidence(i / 20) + second.evidence(j / 20) < math.log(1 / ERROR):
                assert found.low - 1e-9 <= (i - j) / 20 <= found.high + 1e-9


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_has_the_share_in_it(hits: int, misses: int) -> None:
    share = Share(hits, hits + misses)

    found = share.interval

    assert 0 <= found.low <= found.high <= 1
    if share.rate is not None:
        assert found.low <= share.rate <= found.high


def test_an_interval_becomes_narrow() -> None:
    found = [Share(n // 2, n).interval for n in (10, 100, 10**4)]
    widths = [one.high - one.low for one in found]

    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 0.05


def test_nothing_is_known_of_no_case() -> None:
    assert Share(0, 0).interval == Interval(0.0, 1.0)
    assert difference(Share(0, 0), Share(0, 0)) == Interval(-1.0, 1.0)
    assert Share(0, 0).rate is None
