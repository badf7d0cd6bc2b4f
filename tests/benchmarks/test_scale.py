"""What the scale table calls a growth, and what a sizing is computed from."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.harness.figures import Figure
from benchmarks.pages.plots import bars, growth
from benchmarks.pages.sizing import Costs, calls_a_second, sized
from benchmarks.scenarios.scale import exponents, grown_again, verdict
from benchmarks.scenarios.scale_lines import (
    Line,
    lines_of_keys,
    lines_of_models,
    lines_of_requests,
)
from tests.support.upstream import ScriptedUpstream

COSTS = Costs(service_cpu_ms=6, database_cpu_ms=1.2, valkey_cpu_ms=0.6, worker_mib=64, call_mib=0.5)


def test_an_exponent_is_that_of_the_growth_between_two_steps() -> None:
    assert exponents([1, 10, 100], [2, 2, 20]) == pytest.approx([0, 1])
    assert exponents([0, 1, 5], [2, 3, 3]) == pytest.approx([0, 0])


@pytest.mark.parametrize(
    ("costs", "name"),
    [
        ([1, 1.1, 1.2], "does not grow"),
        ([1, 5, 50], "not faster than linear"),
        ([1, 1, 40], "faster than linear"),
    ],
)
def test_a_growth_has_a_verdict(costs: list[float], name: str) -> None:
    assert verdict([1, 10, 100], costs) == name


@pytest.mark.parametrize(
    "lines",
    [lines_of_requests, lines_of_models, pytest.param(lines_of_keys, marks=pytest.mark.more)],
)
def test_every_step_of_a_line_is_answered(
    tmp_path: Path, upstream: ScriptedUpstream, lines: Callable[..., Iterator[Line]]
) -> None:
    for line in lines(tmp_path, upstream):
        for step in line.steps:
            step.send()
        assert [step.size for step in line.steps] == sorted({step.size for step in line.steps})

    assert len(upstream.requests) >= 3


def test_a_line_is_read_back_as_it_was_written() -> None:
    line = {"name": "n", "sizes": [1, 2], "exponents": [0.0], "verdict": "v"}
    costs = [{"median": 1, "low": 1, "high": 2}] * 2

    grown = grown_again(json.loads(json.dumps({**line, "cpu_ms": costs})))

    assert grown.cpu_ms == [Figure(1, 1, 2)] * 2


def test_workers_are_as_many_as_cpu_time_needs() -> None:
    sizing = sized(COSTS, 1_000)

    assert sizing.workers == 10  # 6 busy cores, filled to 60 %
    assert sizing.in_progress == 2_000
    assert sizing.files_a_worker == 400
    assert sizing.memory_gib == pytest.approx((10 * 64 + 2_000 * 0.5) / 1024)
    assert calls_a_second(COSTS.service_cpu_ms) == pytest.approx(100)


def test_workers_are_as_many_as_calls_in_progress_need() -> None:
    cheap = Costs(0.1, 0, 0, 64, 0)

    assert sized(cheap, 1_000).workers == 2
    assert sized(cheap, 1).workers == 1


def test_what_is_fullest_limits_first() -> None:
    assert sized(COSTS, 100).limit == "calls in progress 20%"
    assert sized(COSTS, 900).limit == "Valkey's thread 90%"


def test_all_that_needs_more_than_one_machine_limits() -> None:
    assert sized(COSTS, 10_000).limit == (
        "workers' CPU 625%, PostgreSQL's CPU 125%, Valkey's thread 1000%"
    )


def test_plots_are_pictures() -> None:
    figure = {"median": 2.0, "low": 1.0, "high": 3.0}
    line = {"name": "a < b", "sizes": [0, 10], "cpu_ms": [figure, figure]}

    texts = [bars("t", {"a & b": figure}, ["a & b"]), growth("g", [line])]

    assert [ET.fromstring(text).tag[-3:] for text in texts] == ["svg", "svg"]  # noqa: S314  # ours
