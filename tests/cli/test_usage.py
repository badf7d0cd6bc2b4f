"""`flask --app wsgi usage report`: what an operator sees of calls, tokens and cost."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.usage import UsageRecord
from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.conftest import SettingsOf
from tests.storage.records import ended
from tests.support.commands import Ran, run_command
from tests.support.ports import closed_port
from tests.support.schema import give_schema

NOVEMBER = ("--since", "2026-11-01", "--until", "2026-12-01")


Run = Callable[..., Ran]


@pytest.fixture
def settings(settings_of: SettingsOf) -> Settings:
    """Make settings with a database that has the schema."""
    made = settings_of({})
    give_schema(made.database_url)
    return made


@pytest.fixture
def keep(settings: Settings) -> Callable[..., None]:
    """Put rows into the database."""

    def put(*records: UsageRecord) -> None:
        store = SqlUsageStore(make_engine(settings.database_url))
        store.add(records)
        store.close()

    return put


@pytest.fixture
def run(settings: Settings) -> Run:
    """Run the command in this process, on November unless it is said."""

    def report(*arguments: str, on: Settings = settings) -> Ran:
        return run_command(on, "usage", "report", *NOVEMBER, *arguments)

    return report


def run_outside(env: Mapping[str, str], *arguments: str) -> Ran:
    """Run the command as an operator does."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "usage", "report", *arguments]
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env={"PATH": os.defpath, **env},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ran(done.stdout.decode(), done.stderr.decode(), done.returncode)


@pytest.fixture
def kinds(keep: Callable[..., None]) -> None:
    """Keep a few calls."""
    keep(
        ended("1", cost_micro=1_500_000, currency="CNY", tags=",team=a,"),
        ended("2", cost_micro=2, currency="USD", tags=",team=a,"),
        ended("3", model="large", usage_source="estimated", status="timeout"),
        ended("4", model="large", prompt_tokens=None, usage_source="missing"),
    )


HEADINGS = ["model", "calls", "errors", "prompt", "completion", "estimated"]


@pytest.mark.usefixtures("kinds")
def test_an_operator_gets_a_table(settings: Settings) -> None:
    ran = run_outside({"DATABASE_URL": settings.database_url}, *NOVEMBER)

    assert (ran.status, ran.err) == (0, "")
    assert ran.table == [
        [*HEADINGS, "images", "per_image", "cost"],
        ["large", "2", "1", "0", "0", "7", "0", "-", "unknown"],
        ["scripted", "2", "0", "10", "4", "0", "0", "-", "1.500000", "CNY", "+", "0.000002", "USD"],
    ]


def test_an_operator_is_told_of_a_wrong_argument(settings: Settings) -> None:
    ran = run_outside({"DATABASE_URL": settings.database_url}, "--since", "yesterday")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Error: since: must be a day such as ")
    assert ran.err.count("\n") == 1


def test_an_operator_without_a_database_is_told_so() -> None:
    with closed_port() as port:
        url = f"postgresql://who:hunter2@127.0.0.1:{port}/rows"
        ran = run_outside({"DATABASE_URL": url})

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("Error: The usage store cannot be read at the moment. The database ")
    assert "hunter2" not in ran.err


def test_columns_stand_below_each_other(run: Run, keep: Callable[..., None]) -> None:
    keep(ended("1", model="a", prompt_tokens=1_234_567), ended("2", model="a-long-name"))

    lines = run().out.splitlines()

    ends = [
        line.index(cell) + len(cell)
        for line, cell in zip(lines[:2], ["prompt", "1234567"], strict=True)
    ]
    assert ends[0] == ends[1] == lines[2].index(" 5 ") + 2
    assert lines[1].startswith("a            ")


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("arguments", "groups"),
    [
        (["--group-by", ""], [["4"]]),
        (
            ["--group-by", "status,model"],
            [["ok", "large"], ["ok", "scripted"], ["timeout", "large"]],
        ),
        (["--filter", "model=large", "--group-by", "status"], [["ok", "1"], ["timeout", "1"]]),
        (["--filter", "tag=team=a"], [["scripted", "2"]]),
        (["--filter", "model=large", "--filter", "status=ok"], [["large", "1"]]),
        (["--filter", "model=nobody"], []),
        (
            ["--since", "2026-11-22T12:00:00Z", "--until", "2026-11-22T13"],
            [["large"], ["scripted"]],
        ),
        (["--until", "2026-11-22"], []),
    ],
    ids=lambda value: " ".join(value)[:40] if value and isinstance(value[0], str) else "",
)
def test_groups_and_filters_are_as_they_are_asked_for(
    run: Run, arguments: list[str], groups: list[list[str]]
) -> None:
    ran = run(*arguments)

    assert ran.status == 0
    assert len(ran.table) == len(groups) + 1
    assert [row[: len(group)] for row, group in zip(ran.table[1:], groups, strict=True)] == groups


@pytest.mark.usefixtures("kinds")
def test_json_is_that_of_the_route(run: Run) -> None:
    groups: list[dict[str, Any]] = json.loads(run("--format", "json").out)

    assert [group["model"] for group in groups] == ["large", "scripted"]
    assert groups[1]["cost"] == [
        {"currency": "CNY", "micro": 1_500_000, "amount": "1.500000"},
        {"currency": "USD", "micro": 2, "amount": "0.000002"},
    ]
    assert (groups[0]["measured"]["calls"], groups[0]["estimated"]["calls"]) == (0, 1)
    assert groups[0]["uncounted_calls"] == 1


@pytest.mark.usefixtures("kinds")
def test_csv_has_a_line_for_each_group_and_currency(run: Run) -> None:
    lines = list(csv.DictReader(io.StringIO(run("--format", "csv").out), strict=True))

    assert [(line["model"], line["calls"], line["cost_micro"]) for line in lines] == [
        ("large", "2", ""),
        ("scripted", "2", "1500000"),
        ("scripted", "", "2"),
    ]


def test_no_name_is_a_formula_in_csv(run: Run, keep: Callable[..., None]) -> None:
    keep(*[ended(text, model=text) for text in ("=1+1", "+1", "-1", "@SUM(A1)")])

    lines = list(csv.DictReader(io.StringIO(run("--format", "csv").out)))

    assert [line["model"] for line in lines] == ["'+1", "'-1", "'=1+1", "'@SUM(A1)"]


def test_no_calls_are_a_line_of_headings(run: Run) -> None:
    assert run().out.split() == ["model", *run().table[0][1:]]
    assert json.loads(run("--format", "json").out) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--since", "2026-11-02T15:30"], "since: must be a day such as"),
        (["--until", "x"], "until: must be a day such as"),
        (["--since", "2026-12-02"], "since: must be before until"),
        (["--since", "", "--until", "0001-01-01"], ": must be"),
        (["--since", "9998-01-01", "--until", "9999-01-01"], ": must be"),
        (["--group-by", "team"], "group_by: must be some of key, route, model"),
        (["--group-by", "hour,day"], "group_by: must be some of"),
        (["--filter", "model"], "--filter must be NAME=VALUE"),
        (["--filter", "model="], "--filter must be NAME=VALUE"),
        (["--filter", "day=2026-11-02"], "--filter must be NAME=VALUE"),
        (["--filter", "=x"], "--filter must be NAME=VALUE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_named(run: Run, arguments: list[str], told: str) -> None:
    ran = run(*arguments)

    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--what"], ["more"]], ids=" ".join)
def test_what_the_command_does_not_know_is_a_usage_error(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)

    assert (ran.status, ran.out) == (2, "")
    assert "Usage: " in ran.err


def test_a_filter_given_twice_is_told(run: Run) -> None:
    ran = run("--filter", "model=a", "--filter", "model=b")

    assert (ran.status, ran.out) == (2, "")
    assert "model" in ran.err


def test_a_database_without_the_schema_is_told(run: Run, settings_of: SettingsOf) -> None:
    empty = settings_of({"DATABASE_URL": f"sqlite:///{settings_of({}).root / 'empty.db'}"})

    ran = run(on=empty)

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("Error: ")


def test_a_file_that_is_no_database_is_told(
    run: Run, settings_of: SettingsOf, tmp_path: Path
) -> None:
    (tmp_path / "text.db").write_text("This is a text, and not a database. " * 40)

    ran = run(on=settings_of({"DATABASE_URL": f"sqlite:///{tmp_path / 'text.db'}"}))

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("Error: ")
