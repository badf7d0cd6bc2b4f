"""An outage writes a few warnings of each kind, and says how many it did not write."""

import logging

import pytest

from llm_api.observability.paced_warnings import AT_MOST, INTERVAL_S, PacedWarnings

LOGGER = logging.getLogger("outage")


def test_of_each_kind_a_few_are_written_and_the_next_counts_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [0.0]
    warnings = PacedWarnings(LOGGER, lambda: clock[0])

    for number in range(AT_MOST + 7):
        warnings.warn("circuit opened", {"model": f"m{number}", "cause": "upstream_timeout"})
    warnings.warn("circuit opened", {"model": "m", "cause": "upstream_auth"})
    clock[0] = INTERVAL_S
    warnings.warn("circuit opened", {"model": "last", "cause": "upstream_timeout"})

    written = [(vars(one)["model"], vars(one).get("unwritten")) for one in caplog.records]
    firsts = [(f"m{number}", None) for number in range(AT_MOST)]
    assert written == [*firsts, ("m", None), ("last", 7)]
    assert {one.levelname for one in caplog.records} == {"WARNING"}


def test_circuits_of_single_callers_leave_room_for_that_of_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warnings = PacedWarnings(LOGGER, lambda: 0.0)
    about = {"model": "m", "cause": "upstream_timeout"}

    for _ in range(AT_MOST + 1):
        warnings.warn("circuit opened", {**about, "scope": "one caller"})
    warnings.warn("circuit opened", about)

    scopes = [vars(one).get("scope") for one in caplog.records]
    assert scopes == ["one caller"] * AT_MOST + [None]
