"""docs/benchmarks.md and docs/sizing.md are what the figures say, and say all of them."""

from pathlib import Path

import pytest

from benchmarks.harness import measure
from benchmarks.pages.benchmarks_page import page, plots
from benchmarks.pages.markdown import budget_table, figure, number, ratio_table
from benchmarks.pages.sizing_page import page as sizing_page
from benchmarks.pages.written import pages

FIGURE = {"median": 1.5, "low": 1.25, "high": 2.0}
CALL = {"cpu_ms": FIGURE, "added_p50_ms": FIGURE, "added_p99_ms": FIGURE}
LEFT_OUT = ("streams", "many_streams", "prompts", "footprint", "stores", "scale", "refusals")
RUN = {
    "python": "3.11.7",
    "cores": 2,
    "rounds": 7,
    "measured": {"day": "2026-11-29", "service": "abc", "before": "def", "litellm": "1.2"},
    "targets": {"nginx chat": CALL, "service chat": CALL, "service-with-key chat": CALL},
    "worker_mib": {"nginx": 5.0, "service": 81.0, "service-with-key": 82.0},
    "ratios": {"to the build before": FIGURE},
    "failed": {"litellm chat": "500"},
    "failures": {"scale": "no space"},
    "budget": [{"figure": "CPU ms", "limit": 2, "measured": 1.5, "verdict": "ok"}],
    "outages": None,
    **dict.fromkeys(LEFT_OUT),
}
SHORT = """\
Measured on 2026-11-29: commit abc, in turn with the build before, def, Python 3.11.7, 2 shared \
cores. Beside it: LiteLLM 1.2.
A cell is the median of 7 rounds unless a section says otherwise, with the lowest and the highest.
Not measured, scale: no space

## What was to be reached

| figure | to reach | measured |  |
| --- | --- | --- | --- |
| CPU ms | ≤ 2 | 1.50 | ok |

## A call

![CPU milliseconds a chat call of every server](benchmarks/calls.svg)

| server | route | CPU ms a call | added p50 ms | added p99 ms | worker MiB |
| --- | --- | --- | --- | --- | --- |
| nginx | `/v1/chat/completions` | 1.50 (1.25 to 2.00) | 1.50 (1.25 to 2.00) | 1.50 (1.25 to 2.00) \
| 5.00 |
| this service | `/v1/chat/completions` | 1.50 (1.25 to 2.00) | 1.50 (1.25 to 2.00) \
| 1.50 (1.25 to 2.00) | 81.0 |
| this service, with a key | `/v1/chat/completions` | 1.50 (1.25 to 2.00) | 1.50 (1.25 to 2.00) \
| 1.50 (1.25 to 2.00) | 82.0 |

| ratio, taken within each round | median (lowest to highest) |
| --- | --- |
| to the build before | 1.50 (1.25 to 2.00) |

LiteLLM could not: `500`
"""


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_a_page_of_figures_is_current(path: Path) -> None:
    assert path.read_text("utf-8") == pages()[path], "run `python -m benchmarks.pages`"


def test_a_short_run_makes_a_short_page() -> None:
    assert page({**RUN, "scale": [], "refusals": []}) == SHORT


def test_every_route_that_is_measured_has_a_name() -> None:
    measured = [route.name for route in vars(measure).values() if isinstance(route, measure.Route)]

    targets = {f"service {name}": CALL for name in measured}

    shown = page({**RUN, "scale": [], "refusals": [], "targets": targets})
    assert shown.count("| this service |") == len(measured) >= 5


def test_only_what_was_measured_is_drawn() -> None:
    assert list(plots({**RUN, "scale": []})) == ["calls.svg"]


def test_a_run_without_stores_says_so() -> None:
    assert sizing_page(RUN) == "The last run has not measured PostgreSQL, Valkey and memory.\n"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0131, "0.013"), (1.304, "1.30"), (12.34, "12.3"), (4321.5, "4,322")]
)
def test_a_number_has_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_figure_over_its_limit_is_told() -> None:
    line = {"figure": "f", "limit": 1.35, "measured": 2, "verdict": "over"}

    assert budget_table([line]).endswith("| f | ≤ 1.35 | 2.00 | over |")
    assert figure(FIGURE) == "1.50 (1.25 to 2.00)"
    assert ratio_table({}) == ""
