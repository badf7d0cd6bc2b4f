"""The end of a process leaves its calls the grace time, less what the end itself needs."""

import math
import signal
from collections.abc import Callable, Iterator

import pytest

from llm_api.runtime.drain import Drain, drain_on_sigterm


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Stand at a hundred seconds."""
    return Clock()


@pytest.fixture
def handler() -> Iterator[Callable[[object], None]]:
    """Install a handler of SIGTERM for one test."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda handle: signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGTERM, before)


def test_before_its_beginning_nothing_ends(clock: Clock) -> None:
    drain = Drain(30, clock)
    clock.now += 1_000

    assert (drain.is_draining, drain.is_expired()) == (False, False)


@pytest.mark.parametrize(("grace", "calls_last"), [(30, 28), (4, 2), (3, 1.5), (1, 0.5)])
def test_calls_end_two_seconds_early_or_at_half_of_a_short_time(
    grace: float, calls_last: float, clock: Clock
) -> None:
    drain = Drain(grace, clock)

    drain.start()

    clock.now += calls_last - 0.1
    assert (drain.is_draining, drain.is_expired()) == (True, False)
    clock.now += 0.1
    assert drain.is_expired()


@pytest.mark.parametrize(("paid_grace", "lasts"), [(0, 28), (10, 28), (600, 598)])
def test_paid_calls_may_last_longer(paid_grace: float, lasts: float, clock: Clock) -> None:
    drain = Drain(30, clock, paid_grace=paid_grace)
    assert not drain.is_expired_for_paid()

    drain.start()

    clock.now += lasts - 0.1
    assert not drain.is_expired_for_paid()
    clock.now += 0.1
    assert drain.is_expired_for_paid()
    assert drain.is_expired()


def test_a_second_sigterm_does_not_prolong_it(clock: Clock) -> None:
    drain = Drain(30, clock)
    drain.start()
    clock.now += 20
    drain.start()

    clock.now += 8

    assert drain.is_expired()


def test_without_a_grace_time_calls_have_all_time(clock: Clock) -> None:
    drain = Drain(clock=clock)
    drain.start()
    clock.now += 1e9

    assert not drain.is_expired()


def test_sigterm_begins_it_and_goes_on_to_the_handler_before(
    handler: Callable[[object], None],
) -> None:
    seen: list[tuple[int, bool]] = []
    drain = Drain(30)
    handler(lambda number, _frame: seen.append((number, drain.is_draining)))

    drain_on_sigterm(drain)
    signal.raise_signal(signal.SIGTERM)

    assert seen == [(signal.SIGTERM, True)]


def test_work_of_no_request_is_counted_until_it_ends() -> None:
    drain = Drain()
    drain.enter()
    drain.enter()
    drain.leave()

    assert drain.is_busy
    drain.leave()
    assert not drain.is_busy


def test_what_is_left_is_counted_to_the_kill_behind_the_longer_grace(clock: Clock) -> None:
    drain = Drain(5, clock, paid_grace=60)
    before = drain.seconds_left

    drain.start()
    clock.now += 20

    assert (before, drain.seconds_left) == (math.inf, 40)
