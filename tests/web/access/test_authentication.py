"""Where keys are required, nobody gets in without one, whatever he presents; section F."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from werkzeug.test import TestResponse

from llm_api.domain.key_format import new_secret
from llm_api.services.keys.authenticator import digest_of
from tests.conftest import AppOf, UsageRowsOf
from tests.storage.changing import change
from tests.support.acting import OPERATOR
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import ADMIN, CLOSED, KEYS, MODELS, STATIC, bearer, issue, refusal_of
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, OPTIMIZE, good_body
from tests.web.reports import USAGE

OPEN = ("/healthz", "/readyz", "/", "/docs", "/openapi.json", "/console/static/0/console.css")
PROTECTED = (CHAT, OPTIMIZE, COMPLETIONS, MODELS, USAGE, KEYS, "/v1/models/scripted")
CODE = "AUTHENTICATION_ERROR"
MISSING, INVALID = ((401, CODE, reason, False) for reason in ("missing_api_key", "invalid_api_key"))
# F11, and what else may be sent in the place of a key.
WRONG = {
    "no token": "Bearer",
    "an empty token": "Bearer ",
    "a colon": f"Bearer: {STATIC}",
    "no scheme": STATIC,
    "another scheme": f"Basic {STATIC}",
    "a token scheme": f"Token {STATIC}",
    "a sentence of SQL": "Bearer ' OR 1=1--",
    "8 KB": "Bearer " + "x" * 8_000,
    "NUL": f"Bearer {STATIC}\0",
    "a letter beyond ASCII": f"Bearer {STATIC}\xe9",
    "two tokens": f"Bearer {STATIC} {STATIC}",
    "two headers": f"Bearer {STATIC},Bearer {STATIC}",
    "a good and an empty header": f"Bearer {STATIC},",
    "the beginning of a key": f"Bearer {STATIC[:20]}",
    "a key and more": f"Bearer {STATIC}x",
    "capitals": f"Bearer {STATIC.upper()}",
    "quotes": f'Bearer "{STATIC}"',
    "a key that nobody has": f"Bearer {new_secret()}",
    "a tab": f"Bearer\t{STATIC}",
}


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys in the module's application."""
    return CLOSED


@pytest.fixture
def lasting(module_app: Flask, service_upstream: ScriptedUpstream) -> Flask:
    """Lend the module's application to a test that leaves nothing in it but keys and calls."""
    service_upstream.clear()
    return module_app


@pytest.fixture
def closed(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that needs keys."""
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def caller(closed: Flask) -> Iterator[FlaskClient]:
    """Call that application; a good key must still do so afterwards."""
    client = closed.test_client()
    yield client
    assert client.get(MODELS, headers=bearer(STATIC)).status_code == HTTPStatus.OK


@pytest.fixture
def lasting_caller(lasting: Flask) -> Iterator[FlaskClient]:
    """Call the module's application; a good key must still do so afterwards."""
    client = lasting.test_client()
    yield client
    assert client.get(MODELS, headers=bearer(STATIC)).status_code == HTTPStatus.OK


def call(client: FlaskClient, path: str, header: str | None = None, **environ: str) -> TestResponse:
    """Call a route as it is called, with an Authorization header."""
    # Not as headers, of which Werkzeug refuses some that a socket brings.
    sent = environ if header is None else {"HTTP_AUTHORIZATION": header, **environ}
    body = good_body(path) if path in (CHAT, OPTIMIZE, COMPLETIONS) else None
    method = "POST" if body else "GET"
    return client.open(path, method=method, json=body, environ_overrides=sent, buffered=True)


# --- who gets in ---


@pytest.mark.parametrize("path", PROTECTED)
def test_nobody_gets_in_without_a_key(
    path: str, lasting: Flask, service_upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    rows = usage_rows_of(lasting)

    answer = call(lasting.test_client(), path)

    assert refusal_of(path, answer).verdict == MISSING
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="llm_api"'
    assert (service_upstream.connections, service_upstream.requests) == (0, [])
    assert usage_rows_of(lasting) == rows


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize(("number", "header"), list(enumerate(WRONG.values())), ids=WRONG.keys())
def test_nobody_gets_in_with_a_wrong_key(
    *,
    path: str,
    number: int,
    header: str,
    lasting_caller: FlaskClient,
    service_upstream: ScriptedUpstream,
) -> None:
    # Each from an address of its own: guesses are limited.
    answer = call(lasting_caller, path, header, REMOTE_ADDR=f"192.0.2.{number}")

    assert refusal_of(path, answer).verdict == INVALID
    challenge = 'Bearer realm="llm_api", error="invalid_token"'
    assert answer.headers["WWW-Authenticate"] == challenge
    assert (service_upstream.connections, service_upstream.requests) == (0, [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scheme=st.sampled_from(["Bearer ", "bearer  ", "Bearer", "", "Basic "]),
    token=st.one_of(
        st.text(st.characters(max_codepoint=255), max_size=80),
        st.sampled_from([STATIC, ADMIN]).flatmap(
            lambda key: st.sampled_from([key[:-1], key + " ", key + "\0", key + ",", "\x0b" + key])
        ),
        st.from_regex(r"llmapi_[0-9A-Za-z]{49}", fullmatch=True),
    ),
    address=st.ip_addresses(),
)
def test_no_header_breaks_anything_or_lets_anybody_in(
    caller: FlaskClient, scheme: str, token: str, address: object
) -> None:
    answer = call(caller, MODELS, scheme + token, REMOTE_ADDR=str(address))

    assert answer.status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
@pytest.mark.parametrize("path", [CHAT, OPTIMIZE, COMPLETIONS, MODELS])
def test_a_good_key_gets_in(scheme: str, path: str, lasting: Flask) -> None:
    client, key = lasting.test_client(), issue(lasting)

    answers = [call(client, path, f"{scheme} {text}") for text in (key.secret, STATIC, ADMIN)]

    assert [answer.status_code for answer in answers] == [HTTPStatus.OK] * 3
    assert "WWW-Authenticate" not in answers[0].headers


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("header", [None, "Bearer wrong"])
def test_a_public_route_needs_no_key(
    path: str, header: str | None, lasting_caller: FlaskClient
) -> None:
    assert call(lasting_caller, path, header).status_code == HTTPStatus.OK


def test_a_path_that_is_not_there_is_not_there(caller: FlaskClient) -> None:
    assert call(caller, "/v1/nothing").status_code == HTTPStatus.NOT_FOUND
    assert caller.delete(MODELS).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_a_browser_may_ask_what_it_may_send(caller: FlaskClient) -> None:
    assert caller.options(COMPLETIONS).status_code == HTTPStatus.OK


def test_what_is_presented_gets_into_no_statement(caller: FlaskClient) -> None:
    unknown, asked = new_secret(), []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: Any) -> None:
        if "api_key" in statement:
            asked.append((statement, str(values)))

    event.listen(sa.Engine, "before_cursor_execute", note)
    for header in (*WRONG.values(), f"Bearer {unknown}"):
        call(caller, MODELS, header)
    event.remove(sa.Engine, "before_cursor_execute", note)

    assert len(asked) == 2  # so many of them look like keys
    assert digest_of(unknown) in asked[1][1]
    assert unknown not in str(asked)
    assert not any(digest_of(unknown) in statement for statement, _ in asked)


# --- ends ---


def test_why_a_key_opens_nothing_is_not_told(closed: Flask) -> None:
    client, now = closed.test_client(), datetime.now(UTC)
    disabled, expired = issue(closed), issue(closed, expires_at=now - timedelta(seconds=1))
    closed.extensions["llm_api"].keys.disable(disabled.key.id, OPERATOR)
    texts = (disabled.secret, expired.secret, new_secret(), "sk-wrong")

    answers = [call(client, MODELS, f"Bearer {text}") for text in texts]

    said = {re.sub(rb"req_\w+", b"", answer.data) for answer in answers}
    assert len(said) == 1
    assert refusal_of(MODELS, answers[0]).verdict == INVALID


def test_a_disabled_key_is_refused_at_once_where_it_was_disabled(closed: Flask) -> None:
    client, key = closed.test_client(), issue(closed)
    assert call(client, MODELS, f"Bearer {key.secret}").status_code == HTTPStatus.OK

    closed.extensions["llm_api"].keys.disable(key.key.id, OPERATOR)

    assert call(client, MODELS, f"Bearer {key.secret}").status_code == HTTPStatus.UNAUTHORIZED


def test_after_a_rotation_both_secrets_open_until_the_older_ends(closed: Flask) -> None:
    client, keys, old = closed.test_client(), closed.extensions["llm_api"].keys, issue(closed)
    new = keys.rotate(old.key.id, OPERATOR)
    assert [call(client, MODELS, f"Bearer {one.secret}").status_code for one in (old, new)] == [
        HTTPStatus.OK
    ] * 2

    last = keys.rotate(old.key.id, OPERATOR, timedelta(0))

    ends = [call(client, MODELS, f"Bearer {one.secret}").status_code for one in (old, new, last)]
    assert ends == [HTTPStatus.UNAUTHORIZED] * 2 + [HTTPStatus.OK]


# --- what a key may do ---


@pytest.mark.parametrize(
    ("routes", "path", "status"),
    [
        ((COMPLETIONS,), COMPLETIONS, HTTPStatus.OK),
        ((COMPLETIONS,), CHAT, HTTPStatus.FORBIDDEN),
        ((COMPLETIONS,), MODELS, HTTPStatus.FORBIDDEN),
        (("/v1/*",), COMPLETIONS, HTTPStatus.OK),
        (("/v1/*",), CHAT, HTTPStatus.FORBIDDEN),
        (("/v1/*",), USAGE, HTTPStatus.FORBIDDEN),
        (("/v1/models", CHAT), CHAT, HTTPStatus.OK),
        (("/v1/models",), "/v1/models/scripted", HTTPStatus.FORBIDDEN),
        ((), MODELS, HTTPStatus.FORBIDDEN),
    ],
)
def test_a_key_is_for_its_routes(
    routes: tuple[str, ...], path: str, status: HTTPStatus, lasting: Flask
) -> None:
    key = issue(lasting, routes=routes)

    answer = call(lasting.test_client(), path, f"Bearer {key.secret}")

    assert answer.status_code == status
    if status == HTTPStatus.FORBIDDEN:
        assert refusal_of(path, answer).verdict == (403, CODE, "route_not_allowed", False)


def test_a_key_sees_its_models_only(closed: Flask) -> None:
    client, key = closed.test_client(), issue(closed, models=("scripted", "other"))

    listed = call(client, MODELS, f"Bearer {key.secret}").json["data"]
    shown = call(client, f"{MODELS}/qwen-plus", f"Bearer {key.secret}")

    assert [model["id"] for model in listed] == ["scripted"]
    verdict = (403, CODE, "model_not_allowed", False)
    assert refusal_of(f"{MODELS}/qwen-plus", shown).verdict == verdict
    assert call(client, f"{MODELS}/scripted", f"Bearer {key.secret}").status_code == HTTPStatus.OK


@pytest.mark.parametrize("path", CHATS)
def test_a_key_is_for_its_models(
    path: str, closed: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    client, key = closed.test_client(), issue(closed, models=("qwen-plus",))

    # Both ask for `scripted`: one by its name, and the other because it is the configured one.
    answer = call(client, path, f"Bearer {key.secret}")

    assert refusal_of(path, answer).verdict == (403, CODE, "model_not_allowed", False)
    assert upstream.connections == 0
    assert usage_rows_of(closed) == []


def test_a_key_for_no_other_model_may_ask_for_its_own(closed: Flask) -> None:
    client, key = closed.test_client(), issue(closed, models=("scripted",))

    statuses = [call(client, path, f"Bearer {key.secret}").status_code for path in CHATS]

    assert statuses == [HTTPStatus.OK] * 2


@pytest.mark.parametrize("text", [STATIC, "issued"], ids=["static", "issued"])
def test_the_routes_of_keys_need_an_admin_s(text: str, closed: Flask) -> None:
    client = closed.test_client()
    text = issue(closed).secret if text == "issued" else text

    answer = call(client, KEYS, f"Bearer {text}")

    assert refusal_of(KEYS, answer).verdict == (403, CODE, "admin_required", False)
    assert call(client, KEYS, f"Bearer {ADMIN}").status_code == HTTPStatus.OK
    chief = issue(closed, is_admin=True)
    assert call(client, KEYS, f"Bearer {chief.secret}").status_code == HTTPStatus.OK


# --- what is known of a call ---


def test_a_call_is_accounted_for_by_its_key(closed: Flask, usage_rows_of: UsageRowsOf) -> None:
    client, key = closed.test_client(), issue(closed, tags=("team=video", "b"))
    sent = {"HTTP_X_USAGE_TAGS": "a,b"}

    call(client, CHAT, f"Bearer {key.secret}", **sent)
    call(client, COMPLETIONS, f"Bearer {key.secret}")
    call(client, COMPLETIONS, f"Bearer {STATIC}")

    rows = [(row["key_id"], row["tags"]) for row in usage_rows_of(closed)]
    kept = [(key.key.id, ",a,b,team=video,"), (key.key.id, ",b,team=video,"), ("env:ci", "")]
    assert rows == kept


@pytest.mark.parametrize("kind", ["made here", "of the environment", "the admin's"])
def test_a_key_where_something_is_kept_is_refused(
    kind: str, closed: Flask, usage_rows_of: UsageRowsOf
) -> None:
    client, mine = closed.test_client(), issue(closed).secret
    secret = {"made here": mine, "of the environment": STATIC, "the admin's": ADMIN}[kind]

    def status(model: str = "gpt-4o", **headers: str) -> int:
        body = {**good_body(COMPLETIONS), "model": model}
        named = bearer(mine) | {name.replace("_", "-"): text for name, text in headers.items()}
        return client.post(COMPLETIONS, json=body, headers=named).status_code

    assert status(f"my-{secret}") == HTTPStatus.NOT_FOUND
    assert status(X_Lineage_Id=f"a.{secret}") == HTTPStatus.BAD_REQUEST
    assert status(X_Usage_Tags=f"a,{secret}") == HTTPStatus.BAD_REQUEST
    assert usage_rows_of(closed) == []
    assert status() == HTTPStatus.OK


def test_a_key_sees_its_own_usage_and_an_admin_everybody_s(closed: Flask) -> None:
    client, keys = closed.test_client(), [issue(closed), issue(closed)]
    for key in keys:
        call(client, CHAT, f"Bearer {key.secret}")
    closed.extensions["llm_api_spool"].flush()

    def seen(text: str, **filters: str) -> list[str]:
        query = {"group_by": "key", **filters}
        answer = client.get(USAGE, query_string=query, headers=bearer(text))
        return sorted(group["key"] for group in answer.json["groups"])

    first, second = (key.key.id for key in keys)
    assert seen(keys[0].secret) == seen(keys[0].secret, key=first) == [first]
    assert seen(ADMIN) == sorted([first, second])
    assert seen(ADMIN, key=second) == [second]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_nobody_is_told_of_another_s_usage(form: str, closed: Flask) -> None:
    client, key = closed.test_client(), issue(closed)

    answer = client.get(f"{USAGE}?key=env:ci&format={form}", headers=bearer(key.secret))

    assert refusal_of(USAGE, answer).verdict == (403, CODE, "admin_required", False)


def test_two_keys_do_not_share_an_answer(closed: Flask, upstream: ScriptedUpstream) -> None:
    client, keys = closed.test_client(), [issue(closed), issue(closed)]
    texts = (keys[0].secret, keys[1].secret, keys[0].secret)

    again = [
        call(client, CHAT, f"Bearer {text}", HTTP_IDEMPOTENCY_KEY="one").headers.get(
            "idempotent-replayed"
        )
        for text in texts
    ]

    assert again == [None, None, "true"]
    assert len(upstream.requests) == 2


# --- guesses, and open services ---


def test_guesses_are_limited_apart_from_all_else(closed: Flask) -> None:
    client = closed.test_client()
    wrong = [call(client, MODELS, f"Bearer sk-{number}").status_code for number in range(30)]

    last = call(client, MODELS, "Bearer sk-30")

    assert wrong == [HTTPStatus.UNAUTHORIZED] * 30
    verdict = (429, "RATE_LIMIT_EXCEEDED", "too_many_invalid_keys", True)
    assert refusal_of(MODELS, last).verdict == verdict
    assert int(last.headers["Retry-After"]) >= 1
    assert call(client, MODELS, f"Bearer {STATIC}").status_code == HTTPStatus.OK


def test_guesses_from_all_of_an_ipv6_network_count_together(closed: Flask) -> None:
    client = closed.test_client()
    answers = [
        call(client, MODELS, f"Bearer sk-{number}", REMOTE_ADDR=f"2001:db8:1:2::{number:x}")
        for number in range(31)
    ]
    other = call(client, MODELS, "Bearer sk-31", REMOTE_ADDR="2001:db8:1:3::1")

    assert answers[-1].status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert other.status_code == HTTPStatus.UNAUTHORIZED


def test_refusals_count_for_the_limit_of_the_address(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of({**upstream_env, **CLOSED, "RATE_LIMIT": "2/hour"}).test_client()

    answers = [call(client, MODELS, header) for header in (None, "Bearer wrong", None)]

    unauthorized = HTTPStatus.UNAUTHORIZED
    expected = [unauthorized, unauthorized, HTTPStatus.TOO_MANY_REQUESTS]
    assert [answer.status_code for answer in answers] == expected


@pytest.mark.parametrize("header", [None, *WRONG.values()], ids=["none", *WRONG.keys()])
def test_where_no_key_is_required_none_is_looked_at(
    header: str | None, client: FlaskClient
) -> None:
    assert call(client, CHAT, header).status_code == HTTPStatus.OK
    assert call(client, USAGE, header).status_code == HTTPStatus.OK


def test_where_no_key_is_required_those_of_keys_need_one_all_the_same(
    app: Flask, client: FlaskClient
) -> None:
    chief, other = issue(app, is_admin=True), issue(app)

    assert refusal_of(KEYS, call(client, KEYS)).verdict == MISSING
    assert call(client, KEYS, f"Bearer {other.secret}").status_code == HTTPStatus.FORBIDDEN
    assert call(client, KEYS, f"Bearer {chief.secret}").status_code == HTTPStatus.OK


def test_readiness_looks_at_keys_where_usage_rows_are_kept_elsewhere(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    elsewhere = {"USAGE_STORE": "examples.jsonl_store:open_store"}
    app = app_of({**upstream_env, **CLOSED, **elsewhere})
    change(app.config["DATABASE_OF_THE_TEST"], [sa.text("DROP TABLE alembic_version")])

    checks = app.test_client().get("/readyz").json["error"]["details"]["checks"]

    assert checks["database"] == "ok"
    assert "run `flask --app wsgi db upgrade`" in checks["keys"]


@pytest.mark.parametrize("requires", ["true", "false"])
def test_the_document_says_where_a_key_is_needed(
    requires: str, app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    # An application of a process that has others, too, with documents of their own.
    apps = {key: app_of({**upstream_env, "REQUIRE_API_KEY": key}) for key in ("true", "false")}
    document = apps[requires].test_client().get("/openapi.json").json

    bearer_scheme = {"bearer": {"type": "http", "scheme": "bearer"}}
    assert document["components"]["securitySchemes"] == bearer_scheme
    without = [{}] if requires == "false" else []
    assert document["security"] == [*without, {"bearer": []}]
    for methods in (methods for path, methods in document["paths"].items() if KEYS in path):
        asked = [one["security"] for name, one in methods.items() if name != "parameters"]
        assert asked == [[{"bearer": []}]] * len(asked)
