"""`flask --app wsgi keys …`: the life of a key in the hands of an operator."""

import json
import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
from flask import Flask

from llm_api.domain.key_format import is_intact
from llm_api.settings.settings import Settings
from tests.conftest import AppOf, SettingsOf
from tests.support.commands import Ran, run_command
from tests.support.ports import closed_port
from tests.support.replies import models
from tests.support.schema import give_schema
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import MODELS, bearer

Keys = Callable[..., Ran]


@pytest.fixture
def settings(settings_of: SettingsOf) -> Settings:
    """Make settings that require keys, with a database that has the schema."""
    made = settings_of({"REQUIRE_API_KEY": "true"})
    give_schema(made.database_url)
    return made


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """Run `keys` with arguments."""

    def run(*arguments: str) -> Ran:
        return run_command(settings, "keys", *arguments)

    return run


@pytest.fixture
def app(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build the application that needs the keys, on the same database."""
    return app_of({**upstream_env, "REQUIRE_API_KEY": "true"})


def status(app: Flask, secret: str) -> int:
    """Ask for the models with a key."""
    return app.test_client().get(MODELS, headers=bearer(secret.strip())).status_code


def only(keys: Keys) -> dict[str, object]:
    """Return all that is known of the only key."""
    (key,) = json.loads(keys("list", "--json").out)
    return key


def test_a_key_alone_is_on_standard_output(keys: Keys, app: Flask) -> None:
    ran = keys("create", "shop")

    assert ran.status == 0
    assert is_intact(ran.out.removesuffix("\n"))
    assert "shop" in ran.err
    assert ran.out.strip() not in ran.err
    assert status(app, ran.out) == HTTPStatus.OK


def test_a_key_has_what_it_was_given(keys: Keys) -> None:
    ran = keys(
        *("create", "the shop", "--expires", "2100-01-31", "--admin"),
        *("--model", "a", "--model", "b", "--route", "/v1/*", "--requests", "60/minute"),
        *("--tokens-per-minute", "9", "--concurrent-requests", "4", "--concurrent-streams", "2"),
        *("--images-per-minute", "3"),
        *("--budget", "5 CNY/day", "--budget", "100000 tokens/month", "--tag", "team=video"),
    )

    key = only(keys)
    assert ran.status == 0
    assert (key["name"], key["is_admin"], key["expires_at"]) == (
        "the shop", True, "2100-01-31T00:00:00Z"
    )  # fmt: skip
    assert (key["models"], key["routes"], key["tags"]) == (["a", "b"], ["/v1/*"], ["team=video"])
    assert list(key["limits"].values()) == ["60/minute", 9, 4, 2, 3]
    assert key["budgets"] == ["5 CNY/day", "100000 tokens/month"]


def test_a_plain_key_is_for_all_models_and_routes(keys: Keys) -> None:
    keys("create", "shop")

    key = only(keys)
    said = ("models", "routes", "limits", "budgets", "tags", "is_admin", "expires_at")
    assert [key[name] for name in said] == [None, None, {}, [], [], False, None]


def test_keys_are_listed_without_their_secrets(keys: Keys) -> None:
    secrets = [keys("create", name).out.strip() for name in ("first", "second")]

    table, document = keys("list"), keys("list", "--json")

    assert table.table[0] == ["id", "name", "state", "created_at", "expires_at"]
    assert {(row[1], row[2]) for row in table.table[1:]} == {
        ("first", "active"), ("second", "active")
    }  # fmt: skip
    assert not any(secret in ran.out + ran.err for secret in secrets for ran in (table, document))


def test_no_keys_are_a_line_of_headings(keys: Keys) -> None:
    assert len(keys("list").table) == 1
    assert json.loads(keys("list", "--json").out) == []


@pytest.mark.parametrize(
    ("overlap", "old"),
    [((), HTTPStatus.OK), (("--overlap", "0"), HTTPStatus.UNAUTHORIZED)],
)
def test_a_rotated_key_has_another_secret(
    overlap: tuple[str, ...], old: HTTPStatus, keys: Keys, app: Flask
) -> None:
    first = keys("create", "shop").out

    second = keys("rotate", str(only(keys)["id"]), *overlap).out

    assert first != second
    assert (status(app, first), status(app, second)) == (old, HTTPStatus.OK)


def test_a_disabled_key_opens_nothing(keys: Keys, app: Flask) -> None:
    secret, key = keys("create", "shop").out, only(keys)

    ran = keys("disable", str(key["id"]))

    assert (ran.status, ran.out) == (0, "")
    assert str(key["id"]) in ran.err
    assert only(keys)["state"] == "disabled"
    assert status(app, secret) == HTTPStatus.UNAUTHORIZED


def test_a_key_goes_by_its_name_and_is_enabled_again(keys: Keys, app: Flask) -> None:
    secret = keys("create", "shop").out
    keys("disable", "shop")
    disabled = status(app, secret)

    ran = keys("enable", "shop")

    assert (ran.status, ran.out) == (0, "")
    assert ran.err == f"shop ({only(keys)['id']}) is active.\n"
    assert (disabled, only(keys)["disabled_at"]) == (HTTPStatus.UNAUTHORIZED, None)


def test_a_deleted_key_is_gone(keys: Keys, app: Flask) -> None:
    secret = keys("create", "shop").out

    ran = keys("delete", "shop", "--yes")

    assert (ran.status, ran.out) == (0, "")
    assert ran.err.endswith(" is deleted.\n")
    assert json.loads(keys("list", "--json").out) == []
    assert status(app, secret) == HTTPStatus.UNAUTHORIZED


def test_a_deletion_asks_first(keys: Keys) -> None:
    keys("create", "shop")

    ran = keys("delete", "shop")

    assert (ran.status, ran.out) == (1, "")
    assert "Delete shop (key_" in ran.err
    assert only(keys)["state"] == "active"


def test_an_edit_changes_what_it_names(keys: Keys) -> None:
    keys("create", "shop", "--requests", "60/minute", "--tokens-per-minute", "9", "--model", "a",
         "--budget", "5 CNY/day", "--expires", "90d", "--admin", "--tag", "team=a")  # fmt: skip
    before = only(keys)

    ran = keys("edit", "shop", "--name", "store", "--requests", "5/minute", "--model", "b",
               "--no-admin", "--clear", "budget", "--clear", "expires")  # fmt: skip

    after = only(keys)
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out) == after
    assert after == {
        **before,
        "name": "store",
        "limits": {"requests": "5/minute", "tokens_per_minute": 9},
        "models": ["b"],
        "is_admin": False,
        "budgets": [],
        "expires_at": None,
    }


def test_whatever_a_key_has_can_be_taken_away(keys: Keys) -> None:
    keys("create", "plain")
    plain = only(keys)
    keys("delete", "plain", "--yes")
    given = ("--expires", "90d", "--model", "a", "--route", "/v1/*", "--requests", "60/minute",
             "--tokens-per-minute", "9", "--concurrent-requests", "4", "--concurrent-streams", "2",
             "--images-per-minute", "3", "--budget", "5 CNY/day", "--tag", "team=a")  # fmt: skip
    keys("create", "plain", *given)

    ran = keys("edit", "plain", *(part for name in given[::2] for part in ("--clear", name[2:])))

    assert ran.status == 0
    same = {"id", "created_at"}
    assert {name: value for name, value in only(keys).items() if name not in same} == {
        name: value for name, value in plain.items() if name not in same
    }


@each(
    ("arguments", "said"),
    [
        ((), "Nothing is to be changed"),
        (("--budget", "5 CNY/day", "--clear", "budget"), "--budget cannot be given and cleared"),
        (("--clear", "name"), "--clear"),
        (("--requests", "0/minute"), "--requests"),
        (("--tag", "a", "--tag", "b", "--tag", "c"), "--tag"),
    ],
)
def test_a_wrong_edit_is_named(keys: Keys, arguments: tuple[str, ...], said: str) -> None:
    ran = keys("edit", "shop", *arguments)

    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


def test_a_name_that_several_keys_have_names_none(keys: Keys) -> None:
    keys("create", "shop")
    keys("create", "shop")

    ran = keys("disable", "shop")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Error: 2 keys have this name; name one by its id: key_")
    listed = json.loads(keys("list", "--json", "--name", "shop").out)
    assert [key["state"] for key in listed] == ["active"] * 2
    assert json.loads(keys("list", "--json", "--name", "other").out) == []


@each("command", [("rotate",), ("disable",), ("enable",), ("delete", "--yes"), ("edit", "--admin")])
def test_a_key_that_is_not_there_is_named_as_such(command: tuple[str, ...], keys: Keys) -> None:
    for named in ("key_0123456789abcdef", "nobody"):
        ran = keys(*command, named)

        assert (ran.status, ran.out) == (2, "")
        assert ran.err == "Error: There is no key with this id or name.\n"


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("--expires", "90x"),
        ("--expires", "2020-01-01"),
        ("--budget", "5CNY/day"),
        ("--requests", "0/minute"),
        ("--tokens-per-minute", "0"),
        ("--route", "v1"),
        ("--model", ""),
        ("--tag", "a,b"),
    ],
)
def test_a_wrong_option_is_named_and_makes_no_key(option: str, wrong: str, keys: Keys) -> None:
    ran = keys("create", "shop", option, wrong)

    assert (ran.status, ran.out) == (2, "")
    assert option in ran.err
    assert json.loads(keys("list", "--json").out) == []


def test_too_many_tags_are_refused(keys: Keys) -> None:
    ran = keys("create", "shop", *("--tag", "a", "--tag", "b", "--tag", "c"))

    assert ran.status == 2
    assert "--tag" in ran.err


def test_a_database_without_the_schema_names_the_command(settings_of: SettingsOf) -> None:
    ran = run_command(settings_of({}), "keys", "create", "shop")

    assert (ran.status, ran.out) == (1, "")
    assert "run `flask --app wsgi db upgrade`" in ran.err


def test_a_database_that_is_away_is_told_without_its_address(settings_of: SettingsOf) -> None:
    with closed_port() as port:
        url = f"postgresql://hunter2:hunter2@127.0.0.1:{port}/rows"
        ran = run_command(settings_of({"DATABASE_URL": url}), "keys", "list")

    assert ran.status == 1
    assert "hunter2" not in ran.err
    assert "127.0.0.1" not in ran.err


def test_a_second_key_of_a_name_is_made_with_a_warning(keys: Keys) -> None:
    first, second = keys("create", "shop"), keys("create", "shop")

    assert "Warning" not in first.err
    assert second.status == 0
    assert "Warning: Another valid key has this name, key_" in second.err
    assert is_intact(second.out.removesuffix("\n"))


def test_a_key_that_callers_do_not_need_is_made_with_a_warning(settings_of: SettingsOf) -> None:
    settings = settings_of({})
    give_schema(settings.database_url)

    assert "set REQUIRE_API_KEY=true" in run_command(settings, "keys", "create", "shop").err


def test_a_name_whose_key_was_disabled_is_free(keys: Keys) -> None:
    keys("create", "shop")
    keys("disable", str(only(keys)["id"]))

    assert "Warning" not in keys("create", "shop").err


@pytest.mark.parametrize(
    ("model", "is_known"),
    [("scripted", True), ("listed", True), ("scriptde", False), ("gpt-*", False)],
)
def test_a_model_that_nobody_has_is_warned_of(
    app: Flask, upstream: ScriptedUpstream, model: str, *, is_known: bool
) -> None:
    upstream.script(models("listed"))

    result = app.test_cli_runner().invoke(args=["keys", "create", "shop", "--model", model])

    assert result.exit_code == 0
    assert (f"Warning: No model is known as {model}" in result.stderr) is not is_known


def test_a_key_is_shown_with_what_is_left_of_its_budgets(keys: Keys) -> None:
    keys("create", "shop", "--budget", "5 CNY/week", "--budget", "9 tokens/total", "--tag", "a=b")
    key_id = str(only(keys)["id"])

    table, document = keys("show", key_id), json.loads(keys("show", key_id, "--json").out)

    assert table.status == 0
    assert re.search(r"^tags +a=b$", table.out, re.MULTILINE)
    assert re.search(r"^key +5 CNY/week +0.000000 +0.000000 +5.000000 +2", table.out, re.MULTILINE)
    assert re.search(r"^key +9 tokens/total +0 +0 +9 +never$", table.out, re.MULTILINE)
    assert [state["left"] for state in document["budget_states"]] == ["5.000000", "9"]
    assert keys("show", "key_0000000000000000").status == 2
