"""The times that tests shorten are the product's, and the shorter ones arrive."""

import subprocess
import sys
from dataclasses import asdict

import pytest

from tests.support.service import REPOSITORY_ROOT
from tests.support.timings import CONSTANTS, SHIPPED, Timings, values_at


def test_every_time_has_its_constant() -> None:
    assert set(CONSTANTS) == set(asdict(SHIPPED))


def value_of(constant: str) -> float:
    """Read a time."""
    values, name = values_at(constant)
    seconds: float = values[name]
    return seconds


@pytest.mark.parametrize("name", CONSTANTS)
def test_what_is_shipped_is_what_is_said_here(name: str) -> None:
    for constant in CONSTANTS[name]:
        assert value_of(constant) == getattr(SHIPPED, name)


def test_nothing_is_run_before_a_service_with_the_times_that_are_shipped() -> None:
    assert SHIPPED.prelude() == ""


def test_shorter_times_last_as_long_as_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        Timings(silence=0.5, claim=0.25).use(patch)
        shorter = [value_of(place) for place in (*CONSTANTS["silence"], *CONSTANTS["claim"])]

    assert shorter == [0.5, 0.5, 0.25]
    assert value_of(CONSTANTS["claim"][0]) == SHIPPED.claim


def test_shorter_times_are_those_of_the_service() -> None:
    shorter = Timings(**{name: seconds / 10 for name, seconds in asdict(SHIPPED).items()})
    shown = [
        f"print(value_of({constant!r}))" for places in CONSTANTS.values() for constant in places
    ]
    reader = "from tests.support.test_timings import value_of"
    program = "\n".join([shorter.prelude(), "import llm_api.app", reader, *shown])

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    expected = [getattr(shorter, name) for name, places in CONSTANTS.items() for _ in places]
    assert [float(line) for line in ran.stdout.splitlines()] == expected
