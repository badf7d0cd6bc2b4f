"""Uses are counted in memory as the library counts them, and forgotten when they expire."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from llm_api.services.quotas.rate_counter import MEMORY_URI, MonotonicMemoryStorage, parse_limits

START = 1_000_000.0


class Clock:
    """A clock that a test sets."""

    now = START

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Begin somewhere within a window."""
    return Clock()


@pytest.fixture
def storage(clock: Clock) -> MonotonicMemoryStorage:
    """Make an empty storage."""
    return MonotonicMemoryStorage(clock=clock)


def test_the_library_finds_it_by_its_uri() -> None:
    assert isinstance(storage_from_string(MEMORY_URI), MonotonicMemoryStorage)
    assert type(storage_from_string("memory://")) is MemoryStorage


@pytest.mark.parametrize("seed", range(20))
def test_uses_are_counted_as_the_library_counts_them(
    clock: Clock, storage: MonotonicMemoryStorage, seed: int
) -> None:
    [item] = parse_limits("10/minute")
    ours = SlidingWindowCounterRateLimiter(storage)
    chance = random.Random(seed)  # noqa: S311  # a test's
    with mock.patch("time.time", clock):
        theirs = SlidingWindowCounterRateLimiter(MemoryStorage())
        for _ in range(200):
            clock.now += chance.choice([0.1, 1, 5, 40, 130]) * chance.random()
            cost = chance.choice([1, 1, 2, 5, 11])

            verdicts = [strategy.hit(item, "key", cost=cost) for strategy in (ours, theirs)]
            stats = [strategy.get_window_stats(item, "key") for strategy in (ours, theirs)]

            assert verdicts[0] == verdicts[1]
            assert stats[0] == pytest.approx(stats[1])


@pytest.mark.parametrize("seed", range(20))
def test_a_use_says_what_the_library_says_of_it(
    clock: Clock, storage: MonotonicMemoryStorage, seed: int
) -> None:
    [item] = parse_limits("10/minute")
    chance = random.Random(seed)  # noqa: S311  # a test's
    with mock.patch("time.time", clock):
        theirs = SlidingWindowCounterRateLimiter(MonotonicMemoryStorage(clock=clock))
        for _ in range(200):
            clock.now += chance.choice([0.1, 1, 5, 40, 130]) * chance.random()
            cost = chance.choice([1, 1, 2, 5, 11])

            state = storage.use(item, "key", cost)
            is_within = theirs.hit(item, "key", cost=cost)
            reset_at, remaining = theirs.get_window_stats(item, "key")

            assert (state.text, state.limit) == ("10 per 1 minute", 10)
            assert (state.is_exceeded, state.remaining) == (not is_within, remaining)
            assert state.reset_in == pytest.approx(reset_at - clock.now)


def test_uses_and_strategies_share_their_counts(storage: MonotonicMemoryStorage) -> None:
    [item] = parse_limits("10/minute")
    storage.use(item, "key", 3)

    assert SlidingWindowCounterRateLimiter(storage).get_window_stats(item, "key").remaining == 7


def test_a_use_counts_less_and_less_for_two_windows(
    clock: Clock, storage: MonotonicMemoryStorage
) -> None:
    clock.now = 60 * 1_000.0
    assert storage.acquire_sliding_window_entry("key", 10, 60, 10)

    clock.now += 60 + 30
    assert [storage.acquire_sliding_window_entry("key", 10, 60, cost) for cost in (6, 5)] == [
        False,
        True,
    ]

    clock.now += 90
    assert storage.get_sliding_window("key", 60) == (0, 0.0, 0, 60.0 + 60.0)


@pytest.mark.parametrize(("seconds", "are_kept"), [(25, True), (31, False)])
def test_expired_counts_are_removed_now_and_then(
    clock: Clock, storage: MonotonicMemoryStorage, seconds: float, *, are_kept: bool
) -> None:
    storage.acquire_sliding_window_entry("early", 10, 1)
    clock.now += seconds
    storage.acquire_sliding_window_entry("late", 10, 1)

    assert storage.reset() == (2 if are_kept else 1)


def test_counting_starts_no_threads(storage: MonotonicMemoryStorage) -> None:
    before = set(threading.enumerate())

    for _ in range(3):
        storage.acquire_sliding_window_entry("key", 10, 60)
        assert set(threading.enumerate()) == before


def test_of_many_at_once_no_more_than_the_limit_pass(storage: MonotonicMemoryStorage) -> None:
    with ThreadPoolExecutor(8) as pool:
        passed = list(
            pool.map(lambda _: storage.acquire_sliding_window_entry("key", 100, 60), range(1_000))
        )

    assert passed.count(True) == 100


def test_a_cleared_key_begins_anew(storage: MonotonicMemoryStorage) -> None:
    storage.acquire_sliding_window_entry("key", 1, 60)

    storage.clear("key")

    assert storage.acquire_sliding_window_entry("key", 1, 60)
    assert storage.check()
