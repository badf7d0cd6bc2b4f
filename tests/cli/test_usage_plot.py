"""`llm-api usage plot` draws on the terminal, to files, and as JSON."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_api.cli import plot_files
from llm_api.cli.terminal_charts import chart_text
from llm_api.cli.usage_series import Chart, Line, charts_of, left_out
from llm_api.domain.usage import UsageRecord
from llm_api.settings.settings import Settings
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.conftest import SettingsOf
from tests.storage.records import ended
from tests.support.commands import Ran, run_command
from tests.support.schema import give_schema

SPAN = ("--since", "2026-11-20", "--until", "2026-11-25")
Plot = Callable[..., Ran]


@pytest.fixture
def settings(settings_of: SettingsOf) -> Settings:
    """Make settings with a database that has calls of two models, on one day."""
    made = settings_of({})
    give_schema(made.database_url)
    store = SqlUsageStore(make_engine(made.database_url))
    records: list[UsageRecord] = [
        ended("1", cost_micro=1_500_000, currency="CNY"),
        ended("2", cost_micro=250_000, currency="USD"),
        ended("3", model="large", usage_source="estimated"),
    ]
    store.add(records)
    store.close()
    return made


@pytest.fixture
def plot(settings: Settings) -> Plot:
    """Run the command."""
    return lambda *arguments: run_command(settings, "usage", "plot", *SPAN, *arguments)


def test_a_line_of_each_model_is_drawn_on_the_terminal(plot: Plot) -> None:
    ran = plot()

    title, scripted, large, axis = ran.out.splitlines()
    assert (ran.status, ran.err) == (0, "")
    assert title == "calls per day and model (UTC; the highest bar is 2)"
    assert re.fullmatch(r"scripted +████ +2", scripted)
    assert re.fullmatch(r"large +▄▄▄▄ +1", large)
    assert axis.split() == ["11-20", "11-24"]


def test_currencies_have_charts_of_their_own(plot: Plot) -> None:
    ran = plot("--metric", "cost", "--json")

    charts = json.loads(ran.out)
    assert [(one["unit"], one["lines"][0]["values"]) for one in charts] == [
        ("CNY", [0, 0, 1.5, 0, 0]),
        ("USD", [0, 0, 0.25, 0, 0]),
    ]
    assert ran.err == "Not drawn: 1 calls whose cost is not known.\n"


def test_estimated_tokens_are_told_and_not_added(plot: Plot) -> None:
    ran = plot("--metric", "tokens", "--by", "all", "--json")

    assert [sum(one["values"]) for one in json.loads(ran.out)[0]["lines"]] == [14]
    assert ran.err == "Not drawn: 7 tokens that are estimates.\n"


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_file_is_drawn(plot: Plot, tmp_path: Path, suffix: str, begins: bytes) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / f"usage.{suffix}"

    ran = plot("--out", str(out))
    again = plot("--out", str(out))
    forced = plot("--out", str(out), "--force", "--metric", "cost")

    assert (ran.out, ran.status) == (f"{out}\n", 0)
    assert out.read_bytes().startswith(begins)
    assert (again.status, forced.status) == (2, 0)
    assert "--force writes over it" in again.err


def test_without_the_library_the_sentence_says_how_to_get_it(
    plot: Plot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed

    ran = plot("--out", str(tmp_path / "usage.png"))

    assert (ran.status, ran.out) == (1, "")
    assert "`make plots` installs it" in ran.err


def test_no_calls_are_said_to_be_none(plot: Plot) -> None:
    assert "There are no calls." in plot("--filter", "model=nobody").out


def test_many_times_share_a_bar_and_small_lines_are_put_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    groups: list[dict[str, Any]] = [
        {"hour": f"2026-11-{day:02}T{hour:02}:00:00Z", "model": f"m{day % 4}", "calls": day}
        for day in range(1, 31)
        for hour in range(24)
    ]
    report = {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z", "groups": groups}

    [chart] = charts_of(report, "calls", "model", "hour", top=2)

    assert [line.name for line in chart.lines] == ["m2", "m1", "2 others"]
    assert sum(line.total for line in chart.lines) == sum(group["calls"] for group in groups)
    text = chart_text(chart)
    assert "to a bar" in text
    assert max(map(len, text.splitlines()[1:])) <= 60


def test_a_terminal_without_blocks_gets_other_signs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    del capfd
    monkeypatch.setattr(sys, "stdout", open("/dev/null", "w", encoding="ascii"))  # noqa: SIM115, PTH123

    text = chart_text(Chart("calls per day", "calls", ["2026-11-01"], [Line("a", [5])]))

    sys.stdout.close()
    assert text.isascii()
    assert "@" in text


def test_what_is_drawn_of_nothing_is_a_file_all_the_same() -> None:
    pytest.importorskip("matplotlib")
    report = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-03T00:00:00Z", "groups": []}

    charts = charts_of(report, "cost", "model", "day", top=8)

    assert plot_files.drawn(charts, "png").startswith(b"\x89PNG")
    assert list(left_out(report, "cost")) == []
