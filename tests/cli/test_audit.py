"""`flask --app wsgi audit`: who has done what, on the command line and over HTTP."""

import json
import os
import pwd
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from llm_api.cli.actors import command_line_actor
from llm_api.domain.audit import Actor
from llm_api.settings.settings import Settings
from tests.conftest import SettingsOf
from tests.storage.changing import change
from tests.support.commands import Ran, run_command
from tests.support.schema import give_schema

USER = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
Run = Callable[..., Ran]


@pytest.fixture
def settings(settings_of: SettingsOf) -> Settings:
    """Make settings with a database that has the schema."""
    made = settings_of({})
    give_schema(made.database_url)
    return made


@pytest.fixture
def run(settings: Settings) -> Run:
    """Run commands."""
    return lambda *arguments: run_command(settings, *arguments)


def test_commands_are_acts_of_the_user_who_runs_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.setenv("USER", "somebody")
    run("keys", "create", "shop")
    for command in ("edit shop --admin", "rotate shop", "disable shop", "enable shop"):
        assert run("keys", *command.split()).status == 0
    assert run("keys", "delete", "shop", "--yes").status == 0

    rows = json.loads(run("audit", "--json").out)

    names = ["delete", "enable", "disable", "rotate", "edit", "create"]
    assert [row["act"] for row in rows] == [f"key.{name}" for name in names]
    assert {row["actor"]["id"] for row in rows} == {USER}
    assert {(row["request_id"], row["address"]) for row in rows} == {(None, None)}


def test_a_user_without_a_name_goes_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # as containers have users

    assert command_line_actor() == Actor("cli:2147483641", "2147483641")


def test_the_table_says_what_has_changed(run: Run) -> None:
    run("keys", "create", "shop", "--requests", "60/minute")
    run("keys", "edit", "shop", "--requests", "5/minute")

    lines = run("audit").out.splitlines()

    assert lines[0].split() == [
        "at", "actor", "act", "subject", "change", "request_id", "address"
    ]  # fmt: skip
    assert 'limits: {"requests": "60/minute"} -> {"requests": "5/minute"}' in lines[1]
    assert "shop (key_" in lines[1]
    assert 'name: "shop", created_at: "' in lines[2]


def test_the_table_says_what_is_gone(run: Run) -> None:
    run("keys", "create", "shop")
    run("keys", "delete", "shop", "--yes")

    lines = run("audit").out.splitlines()

    assert 'name: "shop" -> gone, created_at: "' in lines[1]


def test_a_subject_is_an_id_before_it_is_a_name(run: Run) -> None:
    run("keys", "create", "shop")
    [made] = json.loads(run("audit", "--json").out)
    run("keys", "create", made["subject"]["id"])

    of_id = json.loads(run("audit", "--json", "--subject", made["subject"]["id"]).out)
    of_name = json.loads(run("audit", "--json", "--subject", "shop").out)

    assert of_id == of_name == [made]


def test_pages_and_filters_are_those_of_the_route(run: Run) -> None:
    run("keys", "create", "shop")
    run("keys", "create", "other")
    run("keys", "disable", "shop")

    first = run("audit", "--limit", "2")
    rest = run("audit", "--limit", "2", "--cursor", first.err.split()[-1])

    assert "key.disable" in first.out
    assert first.err.startswith("Earlier acts: --cursor ")
    assert (len(first.table), len(rest.table), rest.err) == (3, 2, "")
    assert len(run("audit", "--subject", "shop", "--act", "key.create").table) == 2
    assert len(run("audit", "--since", "2999-01-01").table) == 1


def test_a_wrong_option_is_named(run: Run) -> None:
    ran = run("audit", "--since", "yesterday")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Error: since: must be a day such as 2026-01-31, or a time")


def test_a_command_that_cannot_be_recorded_does_nothing(run: Run, settings: Settings) -> None:
    run("keys", "create", "shop")
    change(settings.database_url, [sa.text("DROP TABLE audit")])

    ran = run("keys", "disable", "shop")

    assert (ran.status, ran.out) == (1, "")
    assert "The store of keys cannot be used at the moment." in ran.err
    assert json.loads(run("keys", "list", "--json").out)[0]["state"] == "active"
    assert run("audit").status == 1
