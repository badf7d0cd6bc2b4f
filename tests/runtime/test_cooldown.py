"""What has failed is left alone for a while, and tried again by one caller at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from llm_api.runtime.cooldown import Cooldown

PAUSE = 10.0


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Stand still."""
    return Clock()


@pytest.fixture
def cooldown(clock: Clock) -> Cooldown:
    """Make one that has seen no failure."""
    return Cooldown(PAUSE, clock)


def test_without_a_failure_everything_is_tried(cooldown: Cooldown) -> None:
    assert [cooldown.attempt() for _ in range(3)] == [True] * 3
    assert not cooldown.is_open()


def test_after_a_failure_nothing_is_tried_for_the_pause(cooldown: Cooldown, clock: Clock) -> None:
    cooldown.failed()

    clock.now += PAUSE - 0.1

    assert (cooldown.is_open(), cooldown.attempt()) == (True, False)


def test_after_the_pause_one_caller_tries(cooldown: Cooldown, clock: Clock) -> None:
    cooldown.failed()
    clock.now += PAUSE

    assert not cooldown.is_open()
    assert [cooldown.attempt() for _ in range(3)] == [True, False, False]


def test_of_many_threads_one_tries(cooldown: Cooldown, clock: Clock) -> None:
    cooldown.failed()
    clock.now += PAUSE
    barrier = threading.Barrier(16)

    def attempt() -> bool:
        barrier.wait()
        return cooldown.attempt()

    with ThreadPoolExecutor(16) as pool:
        tries = [pool.submit(attempt) for _ in range(16)]

    assert [attempt.result() for attempt in tries].count(True) == 1


def test_a_failed_attempt_begins_the_pause_anew(cooldown: Cooldown, clock: Clock) -> None:
    cooldown.failed()
    clock.now += PAUSE
    cooldown.attempt()
    clock.now += 5
    cooldown.failed()

    clock.now += PAUSE - 1

    assert cooldown.is_open()


def test_a_success_ends_it(cooldown: Cooldown, clock: Clock) -> None:
    cooldown.failed()
    clock.now += PAUSE
    cooldown.attempt()

    cooldown.succeeded()

    assert [cooldown.attempt() for _ in range(3)] == [True] * 3


def test_the_first_failure_and_the_first_success_are_told_apart(
    cooldown: Cooldown,
) -> None:
    assert [cooldown.succeeded(), cooldown.failed(), cooldown.failed()] == [False, True, False]
    assert [cooldown.succeeded(), cooldown.succeeded(), cooldown.failed()] == [True, False, True]
