"""An upstream that keeps failing is left alone, and tried again with one call."""

import pytest

from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, CircuitOpen, Outcome

GOOD, FAULT, FATAL, UNKNOWN = Outcome.SUCCESS, Outcome.FAILURE, Outcome.FATAL, Outcome.UNKNOWN


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Deadline:
    """A breaker without jitter, and its clock."""

    def __init__(self, *, is_enabled: bool = True) -> None:
        """Begin closed."""
        self.clock = Clock()
        self.breaker = CircuitBreaker(self.clock, lambda *_: 1.0, is_enabled=is_enabled)

    def attempt(self, outcome: Outcome) -> None:
        """Make an attempt that ends so; raises CircuitOpen."""
        was_probe = self.breaker.enter()
        self.breaker.leave(outcome, was_probe=was_probe)

    def wait_when_open(self) -> float:
        """Return for how long attempts are refused."""
        with pytest.raises(CircuitOpen) as refused:
            self.breaker.enter()
        return refused.value.wait


@pytest.fixture
def watched() -> Deadline:
    """Begin closed."""
    return Deadline()


@pytest.fixture
def opened(watched: Deadline) -> Deadline:
    """Begin open."""
    for _ in range(5):
        watched.attempt(FAULT)
    return watched


def test_five_faults_in_a_row_open_it(watched: Deadline) -> None:
    for _ in range(4):
        watched.attempt(FAULT)
    assert not watched.breaker.is_open

    watched.attempt(FAULT)

    assert watched.wait_when_open() == 30


@pytest.mark.parametrize("between", [GOOD, UNKNOWN])
def test_what_lies_between_faults_is_looked_at(watched: Deadline, between: Outcome) -> None:
    for outcome in [FAULT] * 4 + [between] + [FAULT]:
        watched.attempt(outcome)

    assert watched.breaker.is_open is (between is UNKNOWN)


def test_half_of_twenty_attempts_open_it(watched: Deadline) -> None:
    for outcome in [FAULT, GOOD] * 9:
        watched.attempt(outcome)
    watched.attempt(GOOD)
    assert not watched.breaker.is_open

    watched.attempt(FAULT)

    assert watched.breaker.is_open


def test_faults_of_long_ago_are_forgotten(watched: Deadline) -> None:
    for outcome in [FAULT, FAULT, FAULT, GOOD] * 5:
        watched.attempt(outcome)
        watched.clock.now += 10

    assert not watched.breaker.is_open


def test_a_refused_key_opens_it_at_once(watched: Deadline) -> None:
    watched.attempt(FATAL)

    assert watched.breaker.is_open


@pytest.mark.parametrize("outcome", [GOOD, UNKNOWN])
def test_neither_refusals_of_requests_nor_leaving_clients_open_it(
    watched: Deadline, outcome: Outcome
) -> None:
    for _ in range(1_000):
        watched.attempt(outcome)

    assert not watched.breaker.is_open


def test_one_attempt_is_let_through_when_the_time_is_over(opened: Deadline) -> None:
    opened.clock.now += 30

    assert opened.breaker.enter() is True
    assert opened.wait_when_open() == 1


def test_a_good_probe_closes_it(opened: Deadline) -> None:
    opened.clock.now += 30

    opened.attempt(GOOD)

    assert not opened.breaker.is_open
    for _ in range(4):
        opened.attempt(FAULT)
    assert not opened.breaker.is_open


def test_a_failed_probe_doubles_the_wait_up_to_300_s(opened: Deadline) -> None:
    waits = []
    for _ in range(5):
        waits.append(opened.wait_when_open())
        opened.clock.now += waits[-1]
        opened.attempt(FAULT)

    assert waits == [30, 60, 120, 240, 300]


def test_a_probe_that_is_given_up_lets_another_one_through(opened: Deadline) -> None:
    opened.clock.now += 30

    opened.attempt(UNKNOWN)

    assert opened.breaker.enter() is True


def test_attempts_that_began_before_it_opened_change_nothing(watched: Deadline) -> None:
    early = [watched.breaker.enter() for _ in range(6)]
    for was_probe in early[:5]:
        watched.breaker.leave(FAULT, was_probe=was_probe)

    watched.breaker.leave(GOOD, was_probe=early[5])

    assert watched.wait_when_open() == 30


def test_the_wait_is_spread_by_a_tenth() -> None:
    clock = Clock()
    spans: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        spans.append((low, high))
        return high

    breaker = CircuitBreaker(clock, uniform)
    breaker.leave(FATAL, was_probe=breaker.enter())

    with pytest.raises(CircuitOpen) as refused:
        breaker.enter()
    assert refused.value.wait == pytest.approx(33)
    assert spans == [(0.9, 1.1)]


def test_it_can_be_switched_off() -> None:
    watched = Deadline(is_enabled=False)

    for _ in range(100):
        watched.attempt(FATAL)

    assert not watched.breaker.is_open
