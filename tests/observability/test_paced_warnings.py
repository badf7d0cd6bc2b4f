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
