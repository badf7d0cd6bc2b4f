"""Signing in with a key: what a session may do, how it ends, and what keeps others out of it."""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from llm_api.storage.session_store import KeptSession
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.session_table import SqlSessions
from tests.conftest import AppOf
from tests.support.acting import OPERATOR
from tests.support.tables import each
from tests.web.keyed import ADMIN, CLOSED, KEYS, MODELS, STATIC, bearer, issue
from tests.web.refusals import CHAT, good_body

SIGN_IN, SIGN_OUT, PAGE = "/console/sign-in", "/console/sign-out", "/console/chat"
OURS = {"Origin": "http://localhost"}
COOKIE = "llm_api_session"


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys of the module's application."""
    return CLOSED


@pytest.fixture
def visitor(module_app: Flask) -> FlaskClient:
    """Visit the module's application with a browser of its own."""
    return module_app.test_client()


def sign_in(
    client: FlaskClient, key: str, headers: Mapping[str, str] = OURS, **fields: str
) -> TestResponse:
    """Send the form."""
    return client.post(SIGN_IN, data={"key": key, **fields}, headers=headers)


def token_of(client: FlaskClient) -> str | None:
    """Return what the browser's cookie has."""
    cookie = client.get_cookie(COOKIE)
    return None if cookie is None else cookie.value


def csrf_of(client: FlaskClient) -> dict[str, str]:
    """Return the header that a page of the session sends with its calls."""
    found = re.search(r'name="csrf-token" content="(\w+)"', client.get(PAGE).text)
    assert found is not None
    return {"X-CSRF-Token": found[1], **OURS}


def may_call(client: FlaskClient) -> bool:
    """Whether the browser's session opens the API."""
    return client.get(MODELS).status_code == 200


def test_a_session_stands_for_its_key(visitor: FlaskClient) -> None:
    answer = sign_in(visitor, STATIC, next=PAGE)

    assert (answer.status_code, answer.location) == (303, PAGE)
    assert visitor.get(PAGE).status_code == 200
    assert may_call(visitor)
    called = visitor.post(CHAT, json=good_body(CHAT), headers=csrf_of(visitor))
    assert called.status_code == 200
    assert visitor.get(KEYS).status_code == 403


def test_an_admin_s_session_reaches_what_is_for_admins(visitor: FlaskClient) -> None:
    sign_in(visitor, ADMIN)

    assert visitor.get(KEYS).status_code == 200


def test_the_cookie_is_out_of_reach(visitor: FlaskClient) -> None:
    plain = sign_in(visitor, STATIC).headers["Set-Cookie"]
    over_tls = visitor.post(
        SIGN_IN,
        data={"key": STATIC},
        headers={"Origin": "https://localhost"},
        base_url="https://localhost",
    ).headers["Set-Cookie"]

    for cookie in (plain, over_tls):
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert STATIC not in cookie
    assert "Secure" not in plain
    assert over_tls.startswith("__Host-")
    assert "Secure" in over_tls.split("; ")


def test_neither_key_nor_token_is_stored(visitor: FlaskClient, module_app: Flask) -> None:
    sign_in(visitor, STATIC)

    engine = make_engine(module_app.config["DATABASE_OF_THE_TEST"])
    with engine.connect() as connection:
        rows = str(connection.execute(text("SELECT * FROM console_sessions")).all())
    engine.dispose()
    assert "env:ci" in rows
    assert STATIC not in rows
    assert str(token_of(visitor)) not in rows


def test_a_wrong_key_opens_nothing_and_counts_as_a_guess(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of(upstream_env | CLOSED).test_client()
    answers = [sign_in(client, f"wrong-{n}") for n in range(30)]
    refused = next(
        one for n in range(90) if (one := sign_in(client, f"more-{n}")).status_code != 401
    )

    assert {(one.status_code, "Set-Cookie" in one.headers) for one in answers} == {(401, False)}
    assert 'role="alert"' in answers[0].text
    assert "wrong-0" not in answers[0].text
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    assert client.get(MODELS, headers=bearer("another")).status_code == 429


@each("path", ["/", PAGE, SIGN_IN])
def test_pages_with_secrets_are_kept_by_nobody(path: str, visitor: FlaskClient) -> None:
    sign_in(visitor, STATIC)

    page = visitor.get(path)

    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_stranger_is_led_to_the_form_and_back(visitor: FlaskClient) -> None:
    asked = visitor.get(f"{PAGE}?a=1")

    assert asked.location == "/console/sign-in?next=%2Fconsole%2Fchat%3Fa%3D1"
    assert f'value="{PAGE}?a=1"' in visitor.get(asked.location).text


@each("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
def test_the_form_leads_to_no_other_host(target: str, visitor: FlaskClient) -> None:
    assert sign_in(visitor, STATIC, next=target).location == "/"


# --- other pages ---

ELSEWHERE = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {},
    {**OURS, "Sec-Fetch-Site": "cross-site"},
    {**OURS, "Sec-Fetch-Site": "same-site"},
]


@each("headers", ELSEWHERE)
def test_no_other_page_signs_anybody_in(headers: dict[str, str], module_app: Flask) -> None:
    client = module_app.test_client()

    answer = sign_in(client, STATIC, headers)

    assert (answer.status_code, token_of(client)) == (403, None)


@each("headers", ELSEWHERE)
def test_no_other_page_calls_with_a_session(headers: dict[str, str], module_app: Flask) -> None:
    client = module_app.test_client()
    sign_in(client, STATIC)
    csrf = csrf_of(client)["X-CSRF-Token"]

    answer = client.post(CHAT, json=good_body(CHAT), headers={"X-CSRF-Token": csrf, **headers})

    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["error"]["details"]["reason"] == "not_from_our_page"


@each("sent", [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": "é"}])
def test_a_session_calls_with_its_token_alone(sent: dict[str, str], module_app: Flask) -> None:
    client = module_app.test_client()
    sign_in(client, STATIC)

    assert client.post(CHAT, json=good_body(CHAT), headers={**OURS, **sent}).status_code == 403


def test_no_other_page_reads_with_a_session(visitor: FlaskClient) -> None:
    sign_in(visitor, STATIC)

    assert visitor.get(MODELS, headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert visitor.get(MODELS, headers={"Sec-Fetch-Site": "none"}).status_code == 200


def test_no_other_page_signs_anybody_out(visitor: FlaskClient) -> None:
    sign_in(visitor, STATIC)
    token = csrf_of(visitor)["X-CSRF-Token"]

    for fields, headers in (({}, OURS), ({"csrf_token": token}, {"Origin": "http://evil.example"})):
        assert visitor.post(SIGN_OUT, data=fields, headers=headers).status_code == 403
    assert may_call(visitor)


def test_a_key_in_a_header_goes_before_the_session(visitor: FlaskClient) -> None:
    sign_in(visitor, ADMIN)

    assert visitor.get(KEYS, headers=bearer(STATIC)).status_code == 403
    assert visitor.get(MODELS, headers={"Authorization": "Basic eA=="}).status_code == 401


# --- ends ---


def test_signing_out_ends_the_session(visitor: FlaskClient) -> None:
    sign_in(visitor, STATIC)
    token, csrf = str(token_of(visitor)), csrf_of(visitor)["X-CSRF-Token"]

    answer = visitor.post(SIGN_OUT, data={"csrf_token": csrf}, headers=OURS)

    assert (answer.location, token_of(visitor)) == ("/", None)
    visitor.set_cookie(COOKIE, token)
    assert not may_call(visitor)


def test_each_sign_in_makes_a_new_token_and_ends_the_former(visitor: FlaskClient) -> None:
    """A token that somebody else has put into the browser is worth nothing afterwards."""
    visitor.set_cookie(COOKIE, "x" * 43)
    sign_in(visitor, STATIC)
    first = str(token_of(visitor))
    sign_in(visitor, STATIC)

    assert len({"x" * 43, first, token_of(visitor)}) == 3
    visitor.set_cookie(COOKIE, first)
    assert not may_call(visitor)


@pytest.mark.parametrize("act", ["disable", "rotate", "delete"])
def test_a_session_dies_with_its_key(act: str, visitor: FlaskClient, module_app: Flask) -> None:
    issued = issue(module_app)
    keys = module_app.extensions["llm_api"].keys
    sign_in(visitor, issued.secret)
    assert may_call(visitor)

    getattr(keys, act)(issued.key.id, OPERATOR)

    assert not may_call(visitor)
    if act == "disable":
        keys.enable(issued.key.id, OPERATOR)
        assert not may_call(visitor)


def test_a_former_secret_opens_no_session_that_outlives_it(
    visitor: FlaskClient, module_app: Flask
) -> None:
    issued = issue(module_app)
    sign_in(visitor, issued.secret)
    module_app.extensions["llm_api"].keys.rotate(issued.key.id, OPERATOR, timedelta(0))

    assert sign_in(visitor, issued.secret).status_code == 401


def test_a_change_of_the_environment_s_key_ends_its_sessions(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    before = app_of(upstream_env | CLOSED).test_client()
    sign_in(before, STATIC)
    token = str(token_of(before))
    assert may_call(before)

    same, other = (
        app_of(upstream_env | CLOSED | env).test_client()
        for env in ({}, {"API_KEYS": f"ci={secrets.token_hex(20)}"})
    )

    for client, may in ((same, True), (other, False)):
        client.set_cookie(COOKIE, token)
        assert may_call(client) is may


def test_retention_removes_sessions_that_have_ended(module_app: Flask) -> None:
    engine = make_engine(module_app.config["DATABASE_OF_THE_TEST"])
    sessions, past = SqlSessions(engine), datetime(2026, 1, 1, tzinfo=UTC)
    sessions.add(KeptSession("f" * 64, "key_1", None, past, past))

    module_app.extensions["llm_api_file_retention"].delete_all()

    assert sessions.find("f" * 64, past - timedelta(days=1)) is None
    engine.dispose()


# --- where no keys are required ---


def test_without_keys_everything_is_open_and_sign_in_is_for_admins(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of(upstream_env | {"ADMIN_API_KEY": ADMIN}).test_client()

    assert client.get(PAGE).status_code == 200
    assert client.get(KEYS).status_code == 401
    sign_in(client, ADMIN)
    assert client.get(KEYS).status_code == 200


def test_strangers_see_no_models_and_the_signed_in_those_of_their_key(
    visitor: FlaskClient, module_app: Flask
) -> None:
    issued = issue(module_app, models=("another",))

    assert "<code>scripted</code>" not in visitor.get("/").text
    sign_in(visitor, issued.secret)
    assert "<code>scripted</code>" not in visitor.get("/").text
    sign_in(visitor, STATIC)
    assert "<code>scripted</code>" in visitor.get("/").text
