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


@pytest.mark.parametrize("name", CONSTANTS)
def test_what_is_shipped_is_what_is_said_here(name: str) -> None:
    for constant in CONSTANTS[name]:
        module, _, attribute = constant.partition(":")

        assert getattr(import_module(module), attribute) == getattr(SHIPPED, name)


def test_nothing_is_run_before_a_service_with_the_times_that_are_shipped() -> None:
    assert SHIPPED.prelude() == ""


def test_shorter_times_are_those_of_the_service() -> None:
    shorter = Timings(**{name: seconds / 10 for name, seconds in asdict(SHIPPED).items()})
    shown = [
        f"import {constant.partition(':')[0]}; print({constant.replace(':', '.')})"
        for constants in CONSTANTS.values()
        for constant in constants
    ]
    program = "\n".join([shorter.prelude(), "import llm_api.app", *shown])

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
