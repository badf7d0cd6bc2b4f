"""`flask --app wsgi groups …`: groups are made, and keys join and leave them."""

import json
from collections.abc import Callable

import pytest

from tests.conftest import SettingsOf
from tests.support.commands import Ran, run_command
from tests.support.schema import give_schema
from tests.support.tables import each

Run = Callable[..., Ran]


@pytest.fixture
def run(settings_of: SettingsOf) -> Run:
    """Run commands on a database that has the schema."""
    settings = settings_of({})
    give_schema(settings.database_url)
    return lambda *arguments: run_command(settings, *arguments)


def test_a_group_is_made_joined_changed_and_deleted(run: Run) -> None:
    made = run("groups", "create", "video", "--requests", "9/minute", "--budget", "5 CNY/total")
    run("keys", "create", "shop", "--group", "video")
    run("groups", "edit", "video", "--clear", "requests", "--budget", "6 CNY/month")

    document = json.loads(run("groups", "show", "video", "--json").out)
    table, refused = run("groups", "show", "video").out, run("groups", "delete", "video")
    key = json.loads(run("keys", "show", "shop", "--json").out)
    run("keys", "edit", "shop", "--clear", "group")

    assert json.loads(made.out)["limits"] == {"requests": "9/minute"}
    assert (document["limits"], document["budgets"]) == ({}, ["6 CNY/month"])
    assert document["keys"] == [key["id"]]
    assert "6.000000" in table
    assert (key["group"], key["group_name"]) == (document["id"], "video")
    assert [state["of"] for state in key["budget_states"]] == ["group"]
    assert (refused.status, key["id"] in refused.err) == (2, True)
    assert [one["name"] for one in json.loads(run("groups", "list", "--json").out)] == ["video"]
    assert run("groups", "delete", document["id"]).status == 0
    assert "video" not in run("groups", "list").out


@each(("command",), [(("groups", "create", "video"),), (("keys", "create", "video"),)])
def test_two_budgets_of_a_period_and_a_unit_are_refused(command: tuple[str, ...], run: Run) -> None:
    ran = run(*command, "--budget", "5 CNY/day", "--budget", "7 CNY/day")

    assert ran.status == 2
    assert "there are two of CNY/day; give one." in ran.err
    assert json.loads(run(command[0], "list", "--json").out) == []


def test_a_group_that_is_not_there_is_said_to_be(run: Run) -> None:
    answers = [run("groups", "show", "nobody"), run("keys", "create", "shop", "--group", "nobody")]

    assert [one.status for one in answers] == [2, 2]
    assert all("There is no group with this id or name." in one.err for one in answers)
    assert "shop" not in run("keys", "list").out
