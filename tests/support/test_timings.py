"""The times that tests shorten are the product's, and the shorter ones arrive."""

import subprocess
import sys
from dataclasses import asdict
from importlib import import_module

import pytest

from tests.support.service import REPOSITORY_ROOT
from tests.support.timings import CONSTANTS, SHIPPED, Timings


def test_every_time_has_its_constant() -> None:
    assert set(CONSTANTS) == set(asdict(SHIPPED))


def value_of(constant: str) -> float:
    """Read a constant, or the default of an argument."""
    module, _, name = constant.partition(":")
    kind, _, argument = name.partition("(")
    found = getattr(import_module(module), kind)
    seconds: float = found.__init__.__kwdefaults__[argument[:-1]] if argument else found
    return seconds


@pytest.mark.parametrize("name", CONSTANTS)
def test_what_is_shipped_is_what_is_said_here(name: str) -> None:
    for constant in CONSTANTS[name]:
        assert value_of(constant) == getattr(SHIPPED, name)


def test_nothing_is_run_before_a_service_with_the_times_that_are_shipped() -> None:
    assert SHIPPED.prelude() == ""


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
