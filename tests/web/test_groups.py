"""`/api/v1/groups`: keys share limits and budgets, and reports know whose group a call was."""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.settings.settings import PROJECT_ROOT
from tests.conftest import AppOf, SettingsOf, UsageRowsOf
from tests.support.acting import OPERATOR
from tests.web.keyed import ADMIN, CLOSED, bearer, issue, refusal_of
from tests.web.refusals import CHAT, good_body

GROUPS = "/api/v1/groups"
NEEDED, TAKEN = 10, 7  # tokens of a call: at most, and in the end
PRICED = """
[models.scripted]
upstream = "fast"
prices = [{ valid_from = 2020-01-01, currency = "CNY", input = "1", output = "1" }]
"""
Ask = Callable[..., TestResponse]


@pytest.fixture
def app(
    app_of: AppOf, upstream_env: Mapping[str, str], settings_of: SettingsOf, tmp_path: Path
) -> Flask:
    """Build an application that needs keys, with a price."""
    settings_of({})
    config = tmp_path / "root" / "config"
    config.unlink()
    shutil.copytree(PROJECT_ROOT / "config", config)
    (config / "models.toml").write_text(PRICED)
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    """Ask as an admin."""

    def send(method: str, path: str = "", body: object = None) -> TestResponse:
        return client.open(GROUPS + path, method=method, json=body, headers=bearer(ADMIN))

    return send


@pytest.fixture
def made(ask: Ask) -> dict[str, Any]:
    """Make a group with a limit and a budget."""
    body = {
        "name": "video",
        "limits": {"requests": "3/hour"},
        "budgets": ["0.000025 CNY/week"],
    }
    document: dict[str, Any] = ask("POST", body=body).json
    return document


def join(app: Flask, group_id: str, name: str = "shop", **properties: Any) -> tuple[str, str]:
    """Issue a key that is in a group; returns its id and its secret."""
    group = app.extensions["llm_api"].groups.find(group_id)
    issued = issue(app, name, group=group, **properties)
    return issued.key.id, issued.secret


def chat(client: FlaskClient, secret: str) -> TestResponse:
    """Make a call."""
    body = {**good_body(CHAT), "max_tokens": 4}
    return client.post(CHAT, json=body, headers=bearer(secret))


def test_a_group_is_made_shown_changed_and_deleted(ask: Ask, made: dict[str, Any]) -> None:
    shown = ask("GET", "/video").json
    listed = ask("GET").json["groups"]
    changed = ask("PATCH", "/video", {"name": "film", "limits": {}, "budgets": None}).json

    assert shown == made
    assert [one["id"] for one in listed] == [made["id"]]
    assert (shown["keys"], shown["budget_states"][0]["of"]) == ([], "group")
    assert (changed["name"], changed["limits"]) == ("film", {})
    assert changed["budgets"] == ["0.000025 CNY/week"]
    assert ask("DELETE", "/film").json == {"id": made["id"], "name": "film", "deleted": True}
    assert refusal_of(GROUPS, ask("GET", "/film")).reason == "group_not_found"


@pytest.mark.parametrize("path", ["/group_0123456789abcdef", "/unknown", "/%00", "/группа"])
def test_a_group_that_is_not_there_is_not_found(ask: Ask, path: str) -> None:
    for method, body in [("GET", None), ("PATCH", {}), ("DELETE", None)]:
        refused = refusal_of(GROUPS, ask(method, path, body))
        assert refused.verdict == (404, "VALIDATION_ERROR", "group_not_found", False)


def test_a_name_is_of_one_group_alone(ask: Ask, made: dict[str, Any]) -> None:
    other = ask("POST", body={"name": "other"})

    refused = [
        refusal_of(GROUPS, ask("POST", body={"name": "video"})),
        refusal_of(GROUPS, ask("PATCH", f"/{other.json['id']}", {"name": made["name"]})),
    ]

    assert [(one.status, one.reason) for one in refused] == [(400, "group_exists")] * 2


def test_two_budgets_of_a_period_and_a_unit_are_refused(ask: Ask, made: dict[str, Any]) -> None:
    several = ["5 CNY/day", "6 USD/day", "7 CNY/month", "8 tokens/day"]

    refused = [
        refusal_of(GROUPS, ask(method, path, {"name": "other", "budgets": ["5 CNY/day"] * 2}))
        for method, path in (("POST", ""), ("PATCH", f"/{made['id']}"))
    ]
    taken = ask("POST", body={"name": "other", "budgets": several}).json

    found = [(one.status, one.reason, one.fields[0]) for one in refused]
    assert found == [(400, "budget_repeated", "budgets[1]")] * 2
    assert taken["budgets"] == several


def test_a_group_with_keys_is_not_deleted(app: Flask, ask: Ask, made: dict[str, Any]) -> None:
    key_id, _ = join(app, "video")

    refused = refusal_of(GROUPS, ask("DELETE", "/video"))

    assert (refused.status, refused.reason) == (400, "group_in_use")
    assert ask("GET", "/video").json["keys"] == [key_id]
    assert made["keys"] == []


def test_only_admins_may_manage_groups(app: Flask, client: FlaskClient) -> None:
    secret = issue(app).secret

    answers = [client.open(GROUPS, method=one, headers=bearer(secret)) for one in ("GET", "POST")]

    assert [refusal_of(GROUPS, one).reason for one in answers] == ["admin_required"] * 2


def test_what_is_done_to_groups_is_recorded(
    client: FlaskClient, ask: Ask, made: dict[str, Any]
) -> None:
    ask("PATCH", "/video", {"budgets": ["9 CNY/day"]})
    ask("DELETE", "/video")

    acts = client.get("/api/v1/audit", headers=bearer(ADMIN)).json["acts"]

    assert [one["act"] for one in acts] == ["group.delete", "group.edit", "group.create"]
    assert {one["subject"]["id"] for one in acts} == {made["id"]}
    assert (acts[1]["before"], acts[1]["after"]) == (
        {"budgets": ["0.000025 CNY/week"]},
        {"budgets": ["9 CNY/day"]},
    )


@pytest.mark.usefixtures("made")
def test_keys_of_a_group_share_its_rate(app: Flask, client: FlaskClient) -> None:
    secrets = [join(app, "video")[1] for _ in range(2)]

    answers = [client.get("/v1/models", headers=bearer(secrets[n % 2])) for n in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    error = client.get("/api/v1/key", headers=bearer(secrets[0])).json["error"]
    assert error["details"]["scope"] == "group.requests"
    assert answers[2].headers["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.usefixtures("made")
def test_keys_of_a_group_share_its_budget_and_have_their_own_beside_it(
    app: Flask, client: FlaskClient, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ask("PATCH", "/video", {"limits": {}})
    (_, first), (_, second) = join(app, "video", budgets=()), join(app, "video")

    done = [chat(client, first), chat(client, second)]
    app.extensions["llm_api_spool"].flush()
    refused = [chat(client, first), chat(client, first)]
    own = client.get("/api/v1/key", headers=bearer(second)).json

    assert [one.status_code for one in done] == [200, 200]
    # Twice 7 are spent of 25: a call that can take 10 fits in, and no further one.
    assert [one.status_code for one in refused] == [200, 429]
    assert refused[1].json["error"]["details"]["scope"] == "group.budget.week"
    limits = [vars(one).get("limit") for one in caplog.records if one.msg == "request"]
    assert list(filter(None, limits)) == ["group.budget.week"]
    assert (own["group_name"], own["budget_states"][0]["of"]) == ("video", "group")
    assert done[0].headers["x-ratelimit-limit-budget"] == "0.000025 CNY/week"


@pytest.mark.usefixtures("made")
def test_a_call_stays_that_of_the_group_that_its_key_was_in(
    app: Flask, client: FlaskClient, ask: Ask, usage_rows_of: UsageRowsOf
) -> None:
    other = ask("POST", body={"name": "film"}).json["id"]
    key_id, secret = join(app, "video")
    video = app.extensions["llm_api"].groups.find("video").id
    in_video = chat(client, secret).headers["x-request-id"]

    moved = client.patch(
        f"/api/v1/keys/{key_id}", json={"group": "film"}, headers=bearer(ADMIN)
    ).json
    chat(client, secret)
    left = client.patch(f"/api/v1/keys/{key_id}", json={"group": None}, headers=bearer(ADMIN)).json
    chat(client, secret)

    assert [row["group_id"] for row in usage_rows_of(app)].count(None) == 1
    report = client.get("/api/v1/usage?group_by=group", headers=bearer(ADMIN)).json
    assert {one["group"]: one["calls"] for one in report["groups"]} == {"": 1, video: 1, other: 1}
    names = {one["group"]: one["group_name"] for one in report["groups"]}
    assert (names[video], names[""]) == ("video", "")
    of_one = client.get(f"/api/v1/usage?group={video}", headers=bearer(ADMIN)).json
    of_name = client.get("/api/v1/usage?group=video", headers=bearer(ADMIN)).json
    assert of_name["groups"] == of_one["groups"]
    assert [one["calls"] for one in of_one["groups"]] == [1]
    (call,) = client.get(f"/api/v1/usage/{in_video}", headers=bearer(ADMIN)).json["calls"]
    assert call["group"] == {"id": video, "name": "video"}
    assert (moved["group"], moved["group_name"], left["group"]) == (other, "film", None)


def test_a_key_joins_no_group_that_is_not_there(client: FlaskClient) -> None:
    answer = client.post(
        "/api/v1/keys", json={"name": "shop", "group": "nobody"}, headers=bearer(ADMIN)
    )

    refused = refusal_of("/api/v1/keys", answer)
    assert (refused.status, refused.reason, refused.fields) == (400, "group_not_found", ("group",))


def test_a_changed_group_counts_at_once_where_it_was_changed(
    app: Flask, client: FlaskClient, made: dict[str, Any]
) -> None:
    _, secret = join(app, made["id"])
    assert client.get("/v1/models", headers=bearer(secret)).status_code == 200

    app.extensions["llm_api"].groups.change(
        made["id"], lambda group: replace(group, limits=replace(group.limits, requests="1/hour")),
        OPERATOR,
    )  # fmt: skip

    answers = [client.get("/v1/models", headers=bearer(secret)) for _ in range(2)]
    assert answers[1].status_code == 429
