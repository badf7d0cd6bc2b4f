"""`GET /api/v1/audit`: whatever is done by an admin's right is a row, or it is not done."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.domain.audit import ACTS, Actor, AdminAct
from llm_api.services.keys.authenticator import digest_of
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.storage.sql.audit_table import SqlAudit
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.tables import audit
from tests.conftest import AppOf
from tests.storage.changing import change
from tests.support.tables import each
from tests.web.keyed import ADMIN, CLOSED, KEYS, STATIC, bearer, issue, refusal_of

AUDIT = "/api/v1/audit"
PAGE = PROJECT_ROOT / "docs" / "audit.md"
Ask = Callable[..., TestResponse]
FROM = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.fixture
def closed(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that needs keys."""
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def client(closed: Flask) -> FlaskClient:
    """Call that application."""
    return closed.test_client()


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    """Ask as an admin, from an address."""

    def send(method: str, path: str, body: object = None) -> TestResponse:
        headers = bearer(ADMIN)
        return client.open(path, method=method, json=body, headers=headers, environ_overrides=FROM)

    return send


def acts(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    """Read the audit as an admin."""
    answer = client.get(f"{AUDIT}?{query}", headers=bearer(ADMIN))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["acts"]
    return found


def test_every_act_on_a_key_is_a_row(ask: Ask, client: FlaskClient) -> None:
    made = ask("POST", KEYS, {"name": "shop", "limits": {"requests": "60/minute"}})
    path = f"{KEYS}/{made.json['id']}"
    answers = [
        made,
        ask("PATCH", path, {"limits": {"requests": "5/minute"}, "name": "store"}),
        ask("POST", f"{path}/rotate", {"overlap": "0"}),
        ask("POST", f"{path}/disable"),
        ask("POST", f"{path}/enable"),
        ask("DELETE", path),
    ]

    rows = acts(client)[::-1]

    names = ["create", "edit", "rotate", "disable", "enable", "delete"]
    assert [row["act"] for row in rows] == [f"key.{name}" for name in names]
    assert [row["request_id"] for row in rows] == [one.headers["x-request-id"] for one in answers]
    assert {row["actor"]["id"] for row in rows} == {"env:admin"}
    assert {row["address"] for row in rows} == {FROM["REMOTE_ADDR"]}
    assert {row["subject"]["id"] for row in rows} == {made.json["id"]}
    assert [row["subject"]["name"] for row in rows] == ["shop", "shop", *["store"] * 4]


def test_a_row_says_what_was_and_what_is(ask: Ask, client: FlaskClient) -> None:
    made = ask("POST", KEYS, {"name": "shop", "limits": {"requests": "60/minute"}}).json
    ask("PATCH", f"{KEYS}/shop", {"limits": {"requests": "5/minute"}, "models": None})
    disabled = ask("POST", f"{KEYS}/shop/disable").json
    ask("DELETE", f"{KEYS}/shop")

    deleted, off, edited, created = acts(client)

    assert (created["before"], created["after"]["limits"]) == (None, {"requests": "60/minute"})
    assert edited["before"] == {"limits": {"requests": "60/minute"}}
    assert edited["after"] == {"limits": {"requests": "5/minute"}}
    assert off["before"] == {"disabled_at": None}
    assert off["after"] == {"disabled_at": disabled["disabled_at"]}
    assert (deleted["before"]["created_at"], deleted["after"]) == (made["created_at"], None)


def test_what_changes_nothing_is_no_act(ask: Ask, client: FlaskClient) -> None:
    ask("POST", KEYS, {"name": "shop"})
    ask("POST", f"{KEYS}/shop/enable")
    ask("PATCH", f"{KEYS}/shop", {"name": "shop"})
    ask("PATCH", f"{KEYS}/shop", {"name": 7})

    assert [row["act"] for row in acts(client)] == ["key.create"]


def test_an_admin_s_key_is_named_and_no_secret_is_kept(closed: Flask, client: FlaskClient) -> None:
    boss = issue(closed, "boss", is_admin=True)
    made = client.post(KEYS, json={"name": "shop"}, headers=bearer(boss.secret)).json
    again = client.post(f"{KEYS}/shop/rotate", json={}, headers=bearer(boss.secret)).json

    rows = acts(client, "actor=boss")

    assert [row["actor"] for row in rows] == [{"id": boss.key.id, "name": "boss"}] * 2
    with make_engine(closed.config["DATABASE_OF_THE_TEST"]).connect() as connection:
        kept = str(connection.execute(sa.text("SELECT * FROM audit")).all())
    secrets = [boss.secret, made["secret"], again["secret"], ADMIN]
    assert "shop" in kept
    assert not [one for one in secrets if one in kept or digest_of(one) in kept]


def test_what_cannot_be_recorded_is_not_done(ask: Ask, client: FlaskClient, closed: Flask) -> None:
    made = ask("POST", KEYS, {"name": "shop"}).json
    before = ask("GET", KEYS).json
    change(closed.config["DATABASE_OF_THE_TEST"], [sa.text("DROP TABLE audit")])
    path = f"{KEYS}/shop"

    answers = [
        ask("POST", KEYS, {"name": "other"}),
        ask("PATCH", path, {"name": "store"}),
        ask("POST", f"{path}/rotate", {"overlap": "0"}),
        ask("POST", f"{path}/disable"),
        ask("DELETE", path),
        ask("GET", AUDIT),
    ]

    away = (503, "SERVICE_ERROR", "store_unavailable", True)
    assert [refusal_of(KEYS, answer).verdict for answer in answers] == [away] * 6
    assert ask("GET", KEYS).json == before
    assert client.get("/v1/models", headers=bearer(made["secret"])).status_code == 200


def test_old_acts_are_removed_after_the_time_that_is_set(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    long_ago = datetime.fromisoformat("2026-01-01")
    for days, left in (("0", 2), ("1", 1)):
        app = app_of({**upstream_env, **CLOSED, "AUDIT_RETENTION_DAYS": days})
        issue(app, "old")
        change(app.config["DATABASE_OF_THE_TEST"], [sa.update(audit).values(at=long_ago)])
        issue(app, "new")

        app.extensions["llm_api_file_retention"].delete_all()

        assert len(acts(app.test_client())) == left


def test_only_admins_read_it(closed: Flask, client: FlaskClient) -> None:
    keys = [{}, bearer("sk-wrong"), bearer(STATIC), bearer(issue(closed).secret), bearer(ADMIN)]

    answers = [client.get(AUDIT, headers=headers) for headers in keys]

    assert [answer.status_code for answer in answers] == [401, 401, 403, 403, 200]


@pytest.fixture
def known(closed: Flask) -> Flask:
    """Keep five acts, an hour apart."""
    engine = make_engine(closed.config["DATABASE_OF_THE_TEST"])
    store = SqlAudit(engine)
    for hour, act in enumerate(["key.create", "key.edit", "key.create", "key.edit", "key.delete"]):
        actor = Actor(f"key_{hour % 2}", f"name {hour % 2}")
        at = datetime(2026, 11, 22, hour, tzinfo=UTC)
        store.add(AdminAct(at, actor, act, f"subject_{hour}", f"called {hour // 2}"))
    engine.dispose()
    return closed


def subjects(client: FlaskClient, query: str) -> str:
    """Return the numbers of the subjects that a query finds."""
    return "".join(row["subject"]["id"].removeprefix("subject_") for row in acts(client, query))


@each(
    ("query", "found"),
    [
        ("", "43210"),
        ("act=key.edit", "31"),
        ("subject=subject_2", "2"),
        ("subject=called 1", "32"),
        ("actor=key_1", "31"),
        ("actor=name 0", "420"),
        ("since=2026-11-22T02:00", "432"),
        ("until=2026-11-22T03:00:00%2B01:00", "10"),
        ("since=2026-11-22T01:00Z&until=2026-11-22T03:00Z&actor=key_1", "1"),
        ("since=2026-11-23", ""),
        ("actor=nobody&since=", ""),
        ("limit=2", "43"),
    ],
)
def test_acts_are_found(known: Flask, query: str, found: str) -> None:
    assert subjects(known.test_client(), query) == found


def test_pages_follow_one_another_whatever_is_added(known: Flask) -> None:
    client = known.test_client()
    first = client.get(f"{AUDIT}?limit=2", headers=bearer(ADMIN)).json
    client.post(KEYS, json={"name": "shop"}, headers=bearer(ADMIN))

    second = client.get(f"{AUDIT}?limit=2&cursor={first['next_cursor']}", headers=bearer(ADMIN))
    third = client.get(
        f"{AUDIT}?limit=2&cursor={second.json['next_cursor']}", headers=bearer(ADMIN)
    ).json

    pages = [first, second.json, third]
    found = [[row["subject"]["id"][-1] for row in page["acts"]] for page in pages]
    assert found == [["4", "3"], ["2", "1"], ["0"]]
    assert third["next_cursor"] is None


@each(
    ("query", "field", "said"),
    [
        ("since=yesterday", "since", "must be a day such as 2026-01-31, or a time"),
        ("until=2026-13-01", "until", "must be a day"),
        ("act=key.steal", "act", f"must be one of {', '.join(ACTS)}"),
        ("subject=a%00b", "subject", "printable"),
        ("limit=0", "limit", "must be a whole number from 1 to 1000"),
        ("limit=1001", "limit", "1000"),
        ("cursor=0", "cursor", "must be the cursor of an answer"),
        ("cursor=99999999999999999999", "cursor", "must be the cursor of an answer"),
        ("cursor=1&cursor=2", "cursor", "must be given once"),
        ("page=1", "page", "is not a known field"),
    ],
)
def test_a_wrong_argument_is_named(client: FlaskClient, query: str, field: str, said: str) -> None:
    answer = client.get(f"{AUDIT}?{query}", headers=bearer(ADMIN))

    refused = refusal_of(AUDIT, answer)
    assert (refused.status, refused.fields) == (400, (field,))
    assert said in answer.text


def test_the_page_explains_every_act() -> None:
    page = PAGE.read_text()

    assert [act for act in ACTS if f"`{act}`" not in page] == []
