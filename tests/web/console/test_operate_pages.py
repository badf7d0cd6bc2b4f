"""`/console/operate`: what admins see and do is what the API says and does, in their name."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.domain.access import TOKENS, Budget, Limits, Reservation
from llm_api.domain.audit import AuditQuery
from llm_api.domain.budget_periods import period_name
from llm_api.domain.tasks import Task
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from tests.storage.records import ended
from tests.support.acting import OPERATOR
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.console.signed_in import OURS, SignedIn, problem_in
from tests.web.keyed import ADMIN, CLOSED, KEYS, MODELS, STATIC, bearer, issue
from tests.web.reports import keeper

OPERATE = "/console/operate"
PAGES = ("", "/keys", "/keys/new", "/groups", "/limits", "/tasks", "/audit", "/calls", "/doctor")
FORMS = (
    *("/keys/new", "/keys/KEY", "/keys/KEY/rotate", "/keys/KEY/disable", "/keys/KEY/enable"),
    *("/keys/KEY/delete", "/groups", "/groups/G", "/groups/G/delete", "/tasks/T/cancel", "/doctor"),
)


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys of the module's application."""
    return CLOSED


@pytest.fixture
def admin(module_app: Flask) -> SignedIn:
    """Sign in as the admin."""
    return SignedIn.with_key(module_app, ADMIN)


@pytest.fixture
def api(module_app: Flask) -> FlaskClient:
    """Call the API as the admin."""
    client = module_app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {ADMIN}"
    return client


def last_act(app: Flask, act: str) -> tuple[str, str | None, Any]:
    """Return who has done something last, on what, and what is different since."""
    [found] = app.extensions["llm_api"].audit.page(AuditQuery(act=act, at_most=1)).acts
    return found.actor.id, found.subject_name, found.after


def secret_in(html: str) -> str:
    """Return the secret that a page shows."""
    found = re.search(r'<pre id="secret">([^<]+)</pre>', html)
    assert found is not None, html
    return found[1]


@each("path", PAGES)
def test_pages_are_for_admins(path: str, module_app: Flask) -> None:
    strangers = [module_app.test_client(), SignedIn.with_key(module_app, STATIC).client]

    for client in strangers:
        answer = client.get(OPERATE + path)
        assert answer.status_code == 303
        assert answer.location.startswith("/console/sign-in?")
    page = SignedIn.with_key(module_app, ADMIN).client.get(OPERATE + path)
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")


@each("path", FORMS)
def test_forms_are_for_admins_and_of_this_service(path: str, module_app: Flask) -> None:
    key = issue(module_app).key
    admin, path = SignedIn.with_key(module_app, ADMIN), OPERATE + path.replace("KEY", key.id)
    other = SignedIn.with_key(module_app, STATIC)
    fields = {"name": "stolen", "confirmed": "yes"}

    forged = [
        admin.client.post(path, data=fields, headers=OURS),
        admin.client.post(path, data={**fields, "csrf_token": "0" * 64}, headers=OURS),
        admin.client.post(
            path,
            data={**fields, "csrf_token": admin.token},
            headers={"Origin": "https://evil.example"},
        ),
    ]
    assert [answer.status_code for answer in forged] == [403] * 3
    assert other.send(path, **fields).status_code == 303
    assert module_app.test_client().post(path, data=fields, headers=OURS).status_code == 303
    assert module_app.extensions["llm_api"].keys.get(key.id) == key
    assert "stolen" not in {one.name for one in module_app.extensions["llm_api"].keys.all()}


@each("act", ["rotate", "disable", "enable", "delete"])
def test_no_link_changes_anything(act: str, module_app: Flask, admin: SignedIn) -> None:
    key = issue(module_app).key

    answer = admin.client.get(f"{OPERATE}/keys/{key.id}/{act}")

    assert answer.status_code == 405
    assert module_app.extensions["llm_api"].keys.get(key.id) == key


def test_a_new_key_shows_its_secret_once(module_app: Flask, admin: SignedIn) -> None:
    answer = admin.send(
        f"{OPERATE}/keys/new",
        name="web shop",
        expires="90d",
        budgets="5 CNY/day, 100000 tokens/month",
        models="a, b",
        tags="team=video",
        requests="60/minute",
        tokens_per_minute="9000",
    )

    secret = secret_in(answer.text)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert module_app.test_client().get(MODELS, headers=bearer(secret)).status_code == 200
    [key] = [one for one in module_app.extensions["llm_api"].keys.all() if one.name == "web shop"]
    assert (key.models, key.routes, key.tags) == (("a", "b"), None, ("team=video",))
    assert (key.limits.requests, key.limits.tokens_per_minute) == ("60/minute", 9000)
    assert len(key.budgets) == 2
    assert key.expires_at is not None
    assert secret not in admin.page(f"{OPERATE}/keys/{key.id}") + admin.page(f"{OPERATE}/keys")
    assert last_act(module_app, "key.create")[:2] == ("env:admin", "web shop")


def test_a_call_leads_to_its_page_or_to_what_the_api_says_of_it(module_app: Flask) -> None:
    visitors = [ADMIN, issue(module_app, "visitor").secret]

    led_to = [
        re.findall(
            r"x-bind:href=\"'(\S+)' \+", SignedIn.with_key(module_app, key).page("/console/chat")
        )
        for key in visitors
    ]

    assert led_to == [["/console/operate/calls?id="], ["/api/v1/usage/"]]


@each(
    ("fields", "said"),
    [
        ({"name": ""}, "name"),
        ({"expires": "yesterday"}, "expires"),
        ({"budgets": "5 CNY"}, "budgets"),
        ({"budgets": "5 CNY/day, 7 CNY/day"}, "is a second one of CNY/day, beside budgets[0]"),
        ({"requests": "often"}, "requests"),
        ({"tokens_per_minute": "-1"}, "tokens_per_minute"),
        ({"group": "nobody"}, "group"),
    ],
)
def test_a_wrong_form_says_where_and_keeps_the_rest(
    fields: dict[str, str], said: str, module_app: Flask
) -> None:
    admin = SignedIn.with_key(module_app, ADMIN)
    before = len(module_app.extensions["llm_api"].keys.all())

    answer = admin.send(f"{OPERATE}/keys/new", **{"name": "shop", "tags": "kept=1", **fields})

    assert answer.status_code == 400
    assert said in problem_in(answer)
    assert 'value="kept=1"' in answer.text
    assert len(module_app.extensions["llm_api"].keys.all()) == before


def test_a_key_is_changed_as_by_the_api(
    module_app: Flask, admin: SignedIn, api: FlaskClient
) -> None:
    key = issue(module_app, "before", tags=("a=1",), budgets=(Budget("day", "CNY", 5),)).key
    path = f"{OPERATE}/keys/{key.id}"

    answer = admin.send(path, name="after", routes="/v1/*", concurrent_requests="3")

    assert (answer.status_code, answer.location) == (303, f"{path}?done=changed")
    now = api.get(f"{KEYS}/{key.id}").json
    assert (now["name"], now["routes"], now["tags"], now["budgets"]) == (
        *("after", ["/v1/*"]),
        *([], []),
    )
    assert now["limits"] == {"concurrent_requests": 3}
    actor, subject, after = last_act(module_app, "key.edit")
    assert (actor, subject, after["name"]) == ("env:admin", "before", "after")


def test_an_end_that_is_over_stays_until_another_is_given(
    module_app: Flask, admin: SignedIn
) -> None:
    over = datetime(2026, 1, 1, tzinfo=UTC)
    key = issue(module_app, "old", expires_at=over).key
    path = f"{OPERATE}/keys/{key.id}"

    admin.send(path, name="old", expires="2026-01-01T00:00:00Z", tags="b=2")

    changed = module_app.extensions["llm_api"].keys.get(key.id)
    assert (changed.expires_at, changed.tags) == (over, ("b=2",))
    admin.send(path, name="old", expires="")
    assert module_app.extensions["llm_api"].keys.get(key.id).expires_at is None


def test_a_key_is_disabled_enabled_rotated_and_deleted(module_app: Flask, admin: SignedIn) -> None:
    issued = issue(module_app, "turned")
    path, client = f"{OPERATE}/keys/{issued.key.id}", module_app.test_client()

    admin.send(f"{path}/disable")
    assert client.get(MODELS, headers=bearer(issued.secret)).status_code == 401
    assert "Enable" in admin.page(path)
    admin.send(f"{path}/enable")
    assert client.get(MODELS, headers=bearer(issued.secret)).status_code == 200
    fresh = secret_in(admin.send(f"{path}/rotate", overlap="1h").text)
    for secret in (fresh, issued.secret):
        assert client.get(MODELS, headers=bearer(secret)).status_code == 200
    refused = admin.send(f"{path}/delete")
    assert refused.status_code == 400
    assert "tick the box" in problem_in(refused)
    assert admin.send(f"{path}/delete", confirmed="yes").status_code == 303
    assert client.get(MODELS, headers=bearer(fresh)).status_code == 401
    for act in ("key.disable", "key.enable", "key.rotate", "key.delete"):
        assert last_act(module_app, act)[:2] == ("env:admin", "turned")


def test_groups_are_made_changed_and_deleted_when_they_are_empty(
    module_app: Flask, admin: SignedIn
) -> None:
    known = module_app.extensions["llm_api"]
    path = admin.send(f"{OPERATE}/groups", name="video", budgets="9 CNY/month").location
    path = path.partition("?")[0]
    group = known.groups.find("video")

    admin.send(path, name="films", requests="9/minute")
    assert known.groups.find(group.id).name == "films"
    assert "no other group" in problem_in(
        [admin.send(f"{OPERATE}/groups", name=name) for name in ("taken", "taken")][1]
    )
    key = issue(module_app, "in it", group=known.groups.find(group.id)).key
    assert "in it" in admin.page(path)
    assert key.id in problem_in(admin.send(f"{path}/delete", confirmed="yes"))
    known.keys.delete(key.id, OPERATOR)
    assert admin.send(f"{path}/delete", confirmed="yes").status_code == 303
    assert group.id not in known.groups.names()


def test_what_is_left_of_budgets_is_what_the_api_says(
    module_app: Flask, admin: SignedIn, api: FlaskClient
) -> None:
    budgets = (Budget("day", "CNY", 5_000_000), Budget("total", "tokens", 1_000))
    key = issue(module_app, "spender", budgets=budgets).key
    now = datetime.now(UTC)
    day = period_name("day", now)
    engine = make_engine(module_app.config["DATABASE_OF_THE_TEST"])
    wanted = [Reservation(day, "CNY", 1_234_567, 5_000_000), Reservation("total", TOKENS, 323, 999)]
    assert SqlBudgets(engine).reserve(key.id, "req_spent", now, wanted) is None
    engine.dispose()

    shown = admin.tables(f"{OPERATE}/keys/{key.id}").body("budgets")

    states = api.get(f"{KEYS}/{key.id}").json["budget_states"]
    assert [row[:4] for row in shown] == [
        [state["budget"], state["spent"], state["reserved"], state["left"]] for state in states
    ]
    assert [state["left"] for state in states] == ["3.765433", "677"]
    assert "3.765433" in admin.page(f"{OPERATE}/limits")


def test_limits_say_what_is_left_and_whose_count_it_is(module_app: Flask, admin: SignedIn) -> None:
    issued = issue(module_app, "limited", limits=Limits("5/minute", concurrent_requests=3))
    issue(module_app, "limited-too", limits=Limits("5/minute"))
    for _ in "12":
        module_app.test_client().get(MODELS, headers=bearer(issued.secret))

    pages = [admin.tables(f"{OPERATE}/keys/{issued.key.id}").body("limits") for _ in "12"]

    assert pages[0] == pages[1]
    assert [row[:3] for row in pages[0]] == [
        ["Requests 5/minute", "5", "3"],
        ["Calls at once", "3", "3"],
    ]
    for path in (f"/keys/{issued.key.id}", "/limits"):
        page = admin.page(OPERATE + path)
        assert page.count(">Counted by the worker that made this page alone") == 1


def test_names_in_any_writing_are_read_in_the_audit(admin: SignedIn) -> None:
    admin.send(f"{OPERATE}/groups", name="市场部")

    page = admin.page(f"{OPERATE}/audit", act="group.create")

    assert "市场部&#34;</ins>" in page


def test_the_audit_is_that_of_the_api(module_app: Flask, admin: SignedIn, api: FlaskClient) -> None:
    key = issue(module_app, "watched").key
    admin.send(f"{OPERATE}/keys/{key.id}/disable")

    shown = admin.tables(f"{OPERATE}/audit", subject="watched").body("audit")

    acts = api.get("/api/v1/audit", query_string={"subject": "watched"}).json["acts"]
    assert [row[2] for row in shown] == [act["act"] for act in acts]
    assert [act["act"] for act in acts] == ["key.disable", "key.create"]
    for argument, said in ("act=key.eat", "act must be one of"), ("since_=1", "since_ is not a"):
        wrong = admin.client.get(f"{OPERATE}/audit?{argument}")
        assert (wrong.status_code, problem_in(wrong)[: len(said)]) == (400, said)


def test_a_call_is_found_with_its_attempts_and_cost(module_app: Flask, admin: SignedIn) -> None:
    attempts = [
        {"upstream": "fast", "model": "m", "reason": "upstream_error", "ms": 9, "status": 500,
         "said": "<b>out of order</b>"},
        {"upstream": "judge", "model": "n", "reason": None, "ms": 30},
    ]  # fmt: skip
    keeper(module_app)(
        ended(
            "req_found", shown_id="page-9", attempts_detail=attempts, cost_micro=70, currency="CNY"
        )
    )

    html = admin.page(f"{OPERATE}/calls", id="page-9")

    rows = admin.tables(f"{OPERATE}/calls", id="page-9").body("attempts")
    assert rows[0] == ["fast", "m", "upstream_error", "9", "500", "<b>out of order</b>"]
    assert rows[1] == ["judge", "n", "ok", "30", "–", "–"]
    assert "0.000070 CNY" in html
    assert "&lt;b&gt;out of order" in html
    assert "There is no such call" in admin.page(f"{OPERATE}/calls", id="nobody")


def test_tasks_are_listed_and_only_those_there_are_cancelled(
    module_app: Flask, admin: SignedIn
) -> None:
    now = datetime.now(UTC)
    later = now.replace(year=now.year + 1)
    kinds = {"img_listed": "image", "loop_listed": "loop", "video_listed": "video"}
    for name, kind in kinds.items():
        module_app.extensions["llm_api"].tasks.add(
            Task(name, kind, now, later, later, later, request_id="req_task")
        )

    html = admin.page(f"{OPERATE}/tasks")

    for name in kinds:
        assert f'action="{OPERATE}/tasks/{name}/cancel"' in html
    for name in ("img_nobody", "loop_nobody", "video_nobody"):
        assert admin.send(f"{OPERATE}/tasks/{name}/cancel").status_code == 404


def test_the_doctor_looks_without_a_call_to_a_model(
    admin: SignedIn, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    assert "data-findings" not in admin.page(f"{OPERATE}/doctor")

    answer = admin.send(f"{OPERATE}/doctor")

    assert answer.status_code == 200
    for check in ("database schema", "fast TCP", "spool folder", "keys"):
        assert f'<th scope="row">{check}</th>' in answer.text
    assert service_upstream.requests == []
