"""Readiness asks every part, but not more often than the answer can change."""

import pytest

from llm_api.services.readiness import Readiness, ReadinessService, Seldom


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


def service_of(clock: Clock, *states: str) -> ReadinessService:
    """Make a service of one part that has one state after the other."""
    coming = iter(states)
    return ReadinessService({"upstream": lambda: next(coming)}, clock)


def test_the_first_check_asks(clock: Clock) -> None:
    service = service_of(clock, "ok")

    assert service.check() == Readiness({"upstream": "ok"})


def test_a_good_state_is_kept_for_five_seconds(clock: Clock) -> None:
    service = service_of(clock, "ok", "upstream_error")
    service.check()
    clock.now += 4.9

    assert service.check().is_ready


def test_a_good_state_is_asked_again_after_five_seconds(clock: Clock) -> None:
    service = service_of(clock, "ok", "upstream_error")
    service.check()
    clock.now += 5

    assert service.check() == Readiness({"upstream": "upstream_error"})


def test_a_bad_state_is_kept_for_a_second(clock: Clock) -> None:
    service = service_of(clock, "starting", "ok")
    service.check()
    clock.now += 0.9

    assert not service.check().is_ready


def test_a_bad_state_is_asked_again_after_a_second(clock: Clock) -> None:
    service = service_of(clock, "starting", "ok")
    service.check()
    clock.now += 1

    assert service.check().is_ready


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("ok", "ok", "ready"), ("ok", "starting", "not ready"), ("unreachable", "ok", "not ready")],
)
def test_only_if_all_parts_are_good_the_service_is_ready(
    clock: Clock, first: str, second: str, expected: str
) -> None:
    service = ReadinessService({"database": lambda: first, "upstream": lambda: second}, clock)

    readiness = service.check()

    assert readiness.checks == {"database": first, "upstream": second}
    assert readiness.is_ready is (expected == "ready")


def test_a_process_is_ready_without_what_most_calls_do_without(clock: Clock) -> None:
    checks = {"files": lambda: "cannot be kept", "upstream": lambda: "ok"}
    service = ReadinessService(checks, clock, beside=["files"])

    readiness = service.check()

    assert readiness.is_ready
    assert readiness.checks == {"files": "cannot be kept", "upstream": "ok"}


def test_what_is_dear_to_ask_is_asked_once_a_minute(clock: Clock) -> None:
    coming = iter(["ok", "cannot be kept", "ok"])
    ask = Seldom(lambda: next(coming), clock)

    said = []
    for seconds in (0, 59, 1, 4, 1):
        clock.now += seconds
        said.append(ask())

    assert said == ["ok", "ok", "cannot be kept", "cannot be kept", "ok"]


def test_a_process_that_ends_is_not_ready_and_asks_nobody(clock: Clock) -> None:
    ending = iter([False, True])
    service = ReadinessService({"upstream": lambda: "ok"}, clock, lambda: next(ending))
    assert service.check().is_ready

    assert service.check() == Readiness({"process": "shutting down"})


def test_at_the_start_what_is_wrong_is_logged_in_one_line(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    service = service_of(clock, "run the migration", "ok")

    for _ in range(2):
        service.report("upstream").join(5)

    assert [record.getMessage() for record in caplog.records] == [
        "the service is not ready: run the migration"
    ]
