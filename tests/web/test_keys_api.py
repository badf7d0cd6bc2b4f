"""`/api/v1/keys`: the life of a key, from its creation to its deletion."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.domain.key_format import is_intact
from tests.conftest import AppOf
from tests.storage.changing import change
from tests.support.replies import models
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import ADMIN, CLOSED, KEYS, MODELS, bearer, refusal_of

FULL = {
    "name": "the shop",
    "expires": "2100-01-31T08:00:00+08:00",
    "is_admin": False,
    "models": ["scripted"],
    "routes": ["/v1/*"],
    "limits": {"requests": "60/minute", "tokens_per_minute": 5_000, "concurrent_streams": 2},
    "budgets": ["5 CNY/day", "100000 tokens/month"],
    "tags": ["team=video"],
}
PLAIN_SHOWN = {
    "name": "plain",
    "state": "active",
    "expires_at": None,
    "disabled_at": None,
    "is_admin": False,
    "models": None,
    "routes": None,
    "limits": {},
    "budgets": [],
    "tags": [],
    "group": None,
    "group_name": None,
}
UpstreamRequest = Callable[..., TestResponse]


@pytest.fixture
def closed(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that needs keys."""
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def client(closed: Flask) -> FlaskClient:
    """Call that application."""
    return closed.test_client()


@pytest.fixture
def ask(client: FlaskClient) -> UpstreamRequest:
    """Ask as an admin."""

    def send(method: str, path: str = "", body: object = None) -> TestResponse:
        return client.open(KEYS + path, method=method, json=body, headers=bearer(ADMIN))

    return send


@pytest.fixture
def made(ask: UpstreamRequest) -> dict[str, Any]:
    """Make a plain key."""
    document: dict[str, Any] = ask("POST", body={"name": "plain"}).json
    return document


def opens(client: FlaskClient, text: str) -> bool:
    """Tell whether a key gets in."""
    return client.get(MODELS, headers=bearer(text)).status_code == HTTPStatus.OK


def test_a_key_is_made_and_shown_once(ask: UpstreamRequest, client: FlaskClient) -> None:
    answer = ask("POST", body={"name": "plain"})

    shown = answer.json
    secret, key_id = shown.pop("secret"), shown.pop("id")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert shown.pop("created_at")
    assert shown == PLAIN_SHOWN
    assert is_intact(secret)
    assert opens(client, secret)
    assert secret not in ask("GET").text + ask("GET", f"/{key_id}").text


def test_a_key_has_the_properties_it_was_given(ask: UpstreamRequest) -> None:
    made = ask("POST", body=FULL).json

    shown = ask("GET", f"/{made['id']}").json

    kept = {name: value for name, value in FULL.items() if name != "expires"}
    assert {name: shown[name] for name in kept} == kept
    assert shown["expires_at"] == "2100-01-31T00:00:00Z"
    assert [state["left"] for state in shown.pop("budget_states")] == ["5.000000", "100000"]
    assert {**shown, "secret": made["secret"]} == made


def test_keys_are_listed(ask: UpstreamRequest, made: dict[str, Any]) -> None:
    other = ask("POST", body={"name": "other"}).json

    listed = ask("GET").json["keys"]

    assert {key["id"] for key in listed} == {made["id"], other["id"]}
    assert not any("secret" in key for key in listed)


def test_properties_that_are_named_change(ask: UpstreamRequest, made: dict[str, Any]) -> None:
    ask("PATCH", f"/{made['id']}", {"models": ["a"], "name": "plain"})

    changed = ask("PATCH", f"/{made['id']}", {"limits": {"requests": "1/day"}, "expires": "1d"})

    shown = changed.json
    assert shown == ask("GET", f"/{made['id']}").json
    assert (shown["models"], shown["limits"]) == (["a"], {"requests": "1/day"})
    assert shown["expires_at"] > shown["created_at"]
    back = ask("PATCH", f"/{made['id']}", {"models": None, "expires": None, "limits": {}}).json
    assert {name: back[name] for name in PLAIN_SHOWN} == PLAIN_SHOWN


def test_a_change_counts_at_once_where_it_was_made(
    ask: UpstreamRequest, made: dict[str, Any], client: FlaskClient
) -> None:
    assert opens(client, made["secret"])

    ask("PATCH", f"/{made['id']}", {"routes": ["/v1/chat/completions"]})

    assert not opens(client, made["secret"])


@pytest.mark.parametrize(("body", "good"), [({}, 2), ({"overlap": "0"}, 1)])
def test_a_key_gets_another_secret(
    body: dict[str, str], good: int, ask: UpstreamRequest, made: dict[str, Any], client: FlaskClient
) -> None:
    answer = ask("POST", f"/{made['id']}/rotate", body)

    rotated = answer.json
    assert answer.headers["Cache-Control"] == "no-store"
    assert rotated["id"] == made["id"]
    texts = (rotated["secret"], made["secret"])
    assert [opens(client, text) for text in texts] == [True, good == 2]


def test_a_disabled_key_is_shown_and_opens_nothing(
    ask: UpstreamRequest, made: dict[str, Any], client: FlaskClient
) -> None:
    first = ask("POST", f"/{made['id']}/disable").json
    again = ask("POST", f"/{made['id']}/disable").json

    assert first == again == ask("GET", f"/{made['id']}").json
    assert (first["state"], bool(first["disabled_at"])) == ("disabled", True)
    assert not opens(client, made["secret"])


def test_an_enabled_key_opens_at_once_where_it_was_enabled(
    ask: UpstreamRequest, made: dict[str, Any], client: FlaskClient
) -> None:
    ask("POST", f"/{made['id']}/disable")
    assert not opens(client, made["secret"])  # which is remembered

    enabled = ask("POST", f"/{made['id']}/enable").json

    assert (enabled["state"], enabled["disabled_at"]) == ("active", None)
    assert opens(client, made["secret"])


def test_a_deleted_key_is_not_there_any_more(
    ask: UpstreamRequest, made: dict[str, Any], client: FlaskClient
) -> None:
    assert opens(client, made["secret"])

    answer = ask("DELETE", f"/{made['id']}")

    assert answer.json == {"id": made["id"], "name": "plain", "deleted": True}
    assert not opens(client, made["secret"])
    assert ask("GET").json == {"keys": []}
    again = [ask("GET", f"/{made['id']}"), ask("DELETE", "/plain"), ask("POST", "/plain/enable")]
    assert [refusal_of(KEYS, one).reason for one in again] == ["key_not_found"] * 3


def test_a_name_does_where_no_other_key_has_it(ask: UpstreamRequest, made: dict[str, Any]) -> None:
    ask("POST", body={"name": "the shop, 中文"})
    ask("POST", body={"name": made["id"]})  # an id is an id first

    shown = ask("GET", "/the%20shop,%20%E4%B8%AD%E6%96%87").json

    assert shown["name"] == "the shop, 中文"
    assert ask("GET", f"/{made['id']}").json["name"] == "plain"
    assert ask("PATCH", "/plain", {"name": "other"}).json["id"] == made["id"]


def test_a_name_that_several_keys_have_is_refused(
    ask: UpstreamRequest, made: dict[str, Any], client: FlaskClient
) -> None:
    other = ask("POST", body={"name": "plain"}).json

    refused = [ask("GET", "/plain"), ask("POST", "/plain/disable"), ask("DELETE", "/plain")]

    assert [refusal_of(KEYS, one).reason for one in refused] == ["key_name_ambiguous"] * 3
    assert made["id"] in refused[0].text
    assert [opens(client, one["secret"]) for one in (made, other)] == [True, True]
    found = ask("GET", "?name=plain").json["keys"]
    assert {key["id"] for key in found} == {made["id"], other["id"]}
    assert ask("GET", "?name=nobody").json == {"keys": []}
    assert len(ask("GET", "?name=").json["keys"]) == 2
    assert refusal_of(KEYS, ask("GET", "?names=a")).reason == "unknown_field"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("PATCH", ""), ("POST", "/rotate"), ("POST", "/disable")]
)
@pytest.mark.parametrize("key_id", ["key_0123456789abcdef", "env:ci", "%00", "x" * 300, "ключ"])
def test_a_key_that_is_not_there_is_not_found(
    method: str, path: str, key_id: str, ask: UpstreamRequest
) -> None:
    answer = ask(method, f"/{key_id}{path}", {} if method != "GET" else None)

    verdict = (404, "VALIDATION_ERROR", "key_not_found", False)
    assert refusal_of(KEYS, answer).verdict == verdict


WRONG = [
    ({}, "name", "missing"),
    ({"name": ""}, "name", "out_of_range"),
    ({"name": "x" * 65}, "name", "out_of_range"),
    ({"name": "a\nb"}, "name", "out_of_range"),
    ({"name": 7}, "name", "invalid_type"),
    ({"name": None}, "name", "invalid_type"),
    ({"id": "key_0123456789abcdef"}, "id", "unknown_field"),
    ({"secret": "llmapi_mine"}, "secret", "unknown_field"),
    ({"expires": "0d"}, "expires", "out_of_range"),
    ({"expires": "2020-01-01"}, "expires", "out_of_range"),
    ({"expires": 90}, "expires", "invalid_type"),
    ({"is_admin": "true"}, "is_admin", "invalid_type"),
    ({"models": []}, "models", "out_of_range"),
    ({"models": "a"}, "models", "invalid_type"),
    ({"models": ["a", 7]}, "models[1]", "invalid_type"),
    ({"models": ["a"] * 100_000}, "models", "out_of_range"),
    ({"routes": ["v1"]}, "routes[0]", "out_of_range"),
    ({"limits": []}, "limits", "invalid"),
    ({"limits": {"requests": "0/day"}}, "limits.requests", "out_of_range"),
    ({"limits": {"requests": "x"}}, "limits.requests", "out_of_range"),
    ({"limits": {"tokens_per_minute": 0}}, "limits.tokens_per_minute", "out_of_range"),
    ({"limits": {"tokens_per_minute": True}}, "limits.tokens_per_minute", "invalid_type"),
    ({"limits": {"rpm": 1}}, "limits.rpm", "unknown_field"),
    ({"budgets": ["5 CNY"]}, "budgets[0]", "out_of_range"),
    ({"budgets": ["5 CNY/day", "1 CNY/week", "7 CNY/day"]}, "budgets[2]", "budget_repeated"),
    ({"budgets": {"day": 5}}, "budgets", "invalid_type"),
    ({"tags": ["a,b"]}, "tags[0]", "out_of_range"),
    ({"tags": ["a", "b", "c"]}, "tags", "out_of_range"),
]


@pytest.mark.parametrize(("body", "field", "reason"), WRONG)
def test_a_wrong_property_is_named(
    body: dict[str, Any], field: str, reason: str, ask: UpstreamRequest
) -> None:
    sent = body if "name" in body or not body else {"name": "shop", **body}

    refused = refusal_of(KEYS, ask("POST", body=sent))

    assert (refused.status, refused.reason, refused.fields[0]) == (400, reason, field)
    assert ask("GET").json == {"keys": []}


def test_null_is_left_out_where_it_has_no_meaning_of_its_own(
    ask: UpstreamRequest, made: dict[str, Any]
) -> None:
    path = f"/{made['id']}"
    given = {"limits": {"requests": "5/minute"}, "budgets": ["5 CNY/day"], "tags": ["shop"]}
    before = ask("PATCH", path, {**given, "is_admin": True}).json
    nothing = dict.fromkeys(["name", "is_admin", "limits", "budgets", "tags"])

    after = ask("PATCH", path, {**nothing}).json
    rotated = ask("POST", f"{path}/rotate", {"overlap": None})

    assert (after["is_admin"], after["tags"]) == (True, ["shop"])
    assert after == before
    assert rotated.status_code == 200


def test_a_wrong_change_changes_nothing(ask: UpstreamRequest, made: dict[str, Any]) -> None:
    before = ask("GET").json

    refused = refusal_of(KEYS, ask("PATCH", f"/{made['id']}", {"name": 7, "models": ["a"]}))

    assert (refused.status, refused.reason, refused.fields) == (400, "invalid_type", ("name",))
    assert ask("GET").json == before


def test_a_store_that_is_away_is_said_to_be(ask: UpstreamRequest, closed: Flask) -> None:
    change(closed.config["DATABASE_OF_THE_TEST"], [sa.text("DROP TABLE api_keys")])

    refused = refusal_of(KEYS, ask("POST", body={"name": "shop"}))

    assert refused.verdict == (503, "SERVICE_ERROR", "store_unavailable", True)


def test_the_examples_of_the_document_are_taken(ask: UpstreamRequest, client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    body = document["paths"][KEYS]["post"]["requestBody"]["content"]["application/json"]

    assert ask("POST", body=body["example"]).status_code == HTTPStatus.CREATED


def test_what_was_perhaps_not_meant_is_said_with_the_key(
    ask: UpstreamRequest, client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(models("listed"))
    client.get(MODELS, headers=bearer(ADMIN))
    body = {"name": "shop", "models": ["scripted", "listed", "scriptde"]}

    first, second = (ask("POST", body=body).json for _ in range(2))

    assert first["warnings"] == [
        "No model is known as scriptde: no entry of config/models.toml, no list of an upstream."
    ]
    assert second["warnings"][0].startswith(f"Another valid key has this name, {first['id']}")
    assert second["secret"] != first["secret"]
    assert "warnings" not in ask("POST", body={"name": "other", "models": ["listed"]}).json
    assert "warnings" not in ask("GET", f"/{first['id']}").json


def test_a_key_that_callers_do_not_need_is_made_with_a_warning(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of(upstream_env | {"ADMIN_API_KEY": ADMIN}).test_client()

    made, of_admin = (
        client.post(KEYS, json={"name": "shop", "is_admin": is_admin}, headers=bearer(ADMIN)).json
        for is_admin in (False, True)
    )

    (warning,) = made["warnings"]
    assert "REQUIRE_API_KEY=true" in warning
    assert "REQUIRE_API_KEY" not in str(of_admin.get("warnings"))


def test_a_key_is_made_without_asking_an_upstream(
    ask: UpstreamRequest, upstream: ScriptedUpstream
) -> None:
    made = ask("POST", body={"name": "shop", "models": ["unheard-of"]}).json

    assert len(made["warnings"]) == 1
    assert upstream.connections == 0
