"""Errors as clients of Anthropic's read them, and who may call."""

import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client

from llm_api.domain.access import Budget, Limits
from llm_api.errors import ApiError, RateLimited, Unavailable
from llm_api.web.middleware.load_shedding import LoadShedder
from llm_api.web.response.error_formats import error_document, error_headers, error_status
from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.anthropic.message_calls import ask, body_of
from tests.web.keyed import CLOSED, STATIC, issue
from tests.web.refusals import COUNT_TOKENS, MESSAGES, Refusal, read_refusal


def refusal_of(answer: Any) -> Refusal:
    """Read an answer that refuses."""
    return read_refusal(MESSAGES, answer.status_code, answer.headers, answer.data)


@each(
    ("reply", "status", "kind", "reason"),
    [
        (replies.api_error(400, message="Bad."), 400, "invalid_request_error", "upstream_rejected"),
        (replies.api_error(401), 502, "api_error", "upstream_auth"),
        (replies.api_error(404, "model_not_found"), 404, "not_found_error", "model_not_found"),
        (replies.api_error(429), 429, "rate_limit_error", "upstream_rate_limited"),
        (replies.api_error(500), 502, "api_error", "upstream_error"),
        (replies.api_error(503), 503, "api_error", "upstream_unavailable"),
        (replies.api_error(504), 504, "timeout_error", "upstream_timeout"),
        (replies.close_before_answer(), 502, "api_error", "upstream_disconnected"),
    ],
)
def test_a_failure_of_the_upstream_has_the_type_that_clients_know(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    reply: replies.Reply,
    status: int,
    kind: str,
    reason: str,
) -> None:
    upstream.script(*[reply] * 6)  # some are asked twice

    for streamed in (False, True):
        answer = ask(client, stream=streamed)

        refusal = refusal_of(answer)
        assert (refusal.status, refusal.reason) == (status, reason)
        assert answer.json["error"]["type"] == kind
    upstream.clear()


def test_a_file_that_the_model_cannot_read_is_the_callers_mistake(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(400, message="file inputs are not supported"))
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}

    answer = ask(client, {"role": "user", "content": [{"type": "document", "source": source}]})

    assert refusal_of(answer).verdict[:3] == (400, "VALIDATION_ERROR", "not_supported")


@each(
    ("error", "status", "kind", "headers"),
    [
        (
            RateLimited("Spent.", reason="insufficient_quota", retryable=False),
            402,
            "billing_error",
            {"x-should-retry": "false"},
        ),
        (
            Unavailable("Busy.", reason="overloaded", retry_after=1),
            529,
            "overloaded_error",
            {"Retry-After": "1", "retry-after-ms": "1000"},
        ),
        (
            Unavailable("Away.", reason="circuit_open", retry_after=60),
            503,
            "api_error",
            {"Retry-After": "60", "retry-after-ms": "60000"},
        ),
        # Anthropic's SDKs would wait for an hour, and would do so twice.
        (
            RateLimited("Later.", reason="rate_limited", retry_after=3_600),
            429,
            "rate_limit_error",
            {"Retry-After": "3600", "retry-after-ms": "3600000", "x-should-retry": "false"},
        ),
    ],
)
def test_status_and_advice_are_those_that_these_clients_act_upon(
    error: ApiError, status: int, kind: str, headers: dict[str, str]
) -> None:
    for path in (MESSAGES, COUNT_TOKENS):
        assert error_status(error, path) == status
        assert error_headers(error, path) == headers
        assert error_document(error, path, "req_1")["error"]["type"] == kind
    # The other dialects' are as they were.
    assert error_status(error, "/v1/chat/completions") == error.status
    assert error_headers(error, "/v1/chat/completions").get("x-should-retry") in (
        headers.get("x-should-retry"),
        None,
    )


@each(
    ("sent", "status", "reason"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400, "json_invalid"),
        ({"data": b"{}", "content_type": "text/plain"}, 415, "unsupported_media_type"),
        (
            {"data": b'"' + b"x" * (20 << 20), "content_type": "application/json"},
            413,
            "body_too_large",
        ),
    ],
)
def test_what_is_no_request_is_refused_in_the_same_form(
    client: FlaskClient, sent: dict[str, Any], status: int, reason: str
) -> None:
    refusal = refusal_of(client.post(MESSAGES, **sent))

    assert (refusal.status, refusal.reason) == (status, reason)


def test_a_worker_that_is_full_says_overloaded() -> None:
    client = Client(LoadShedder(lambda *_: [b""], max_active=0, max_waiting=0))

    answer = client.post(MESSAGES)

    assert answer.status == "529 Overloaded"
    assert refusal_of(answer).reason == "overloaded"
    assert answer.json["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
def test_a_key_is_taken_from_either_header(
    app_of: AppOf,
    upstream_env: dict[str, str],
    upstream: ScriptedUpstream,
    usage_rows_of: UsageRowsOf,
    header: str,
) -> None:
    app = app_of({**upstream_env, **CLOSED})
    key = issue(app)
    secret = f"Bearer {key.secret}" if header == "Authorization" else key.secret
    client = app.test_client()

    answers = [client.post(MESSAGES, json=body_of(), headers={header: secret}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [row["key_id"] for row in usage_rows_of(app)] == [key.key.id] * 2
    assert len(upstream.requests) == 2


@each(
    "headers",
    [
        {},
        {"x-api-key": "sk-nobody"},
        {"x-api-key": f"{STATIC} {STATIC}"},
        {"x-api-key": f"{STATIC},"},
        {"Authorization": f"Bearer {STATIC[:20]}", "x-api-key": STATIC},
    ],
)
def test_nobody_gets_in_without_a_key(closed: FlaskClient, headers: dict[str, str]) -> None:
    answer = closed.post(MESSAGES, json=body_of(), headers=headers)

    refusal = refusal_of(answer)
    assert refusal.status == 401
    assert refusal.reason in {"missing_api_key", "invalid_api_key"}
    assert answer.headers["x-should-retry"] == "false"
    assert "x-api-key" in refusal.message
    assert STATIC not in answer.text


@pytest.fixture
def closed(app_of: AppOf, upstream_env: dict[str, str]) -> FlaskClient:
    """Call an application that requires keys."""
    return app_of({**upstream_env, **CLOSED}).test_client()


def test_a_key_in_the_other_header_is_not_logged(
    closed: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    answer = closed.post(MESSAGES, json=body_of(), headers={"x-api-key": STATIC})

    assert answer.status_code == 200
    assert STATIC not in str([vars(record) for record in caplog.records])


def test_callers_without_registered_keys_are_told_apart_by_what_they_send(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    for name in ("anna", "anna", "ben"):
        headers = {"x-api-key": name, "X-Cache-TTL": "60"}
        assert client.post(MESSAGES, json=body_of(), headers=headers).status_code == 200

    assert len(upstream.requests) == 2


def test_limits_and_budgets_of_a_key_hold(app_of: AppOf, upstream_env: dict[str, str]) -> None:
    app = app_of({**upstream_env, **CLOSED})
    limited = issue(app, "limited", limits=Limits(requests="1/minute"))
    spent = issue(app, "spent", budgets=(Budget("day", "tokens", 1),))
    client = app.test_client()

    answers = [
        client.post(MESSAGES, json=body_of(), headers={"x-api-key": key.secret})
        for key in (limited, limited, spent)
    ]

    refusals = [(one.status, one.reason) for one in map(refusal_of, answers[1:])]
    assert answers[0].status_code == 200
    assert refusals == [(429, "rate_limited"), (402, "insufficient_quota")]
    assert answers[2].headers["x-should-retry"] == "false"


def test_a_key_that_is_not_for_the_model_may_not_count_its_tokens_either(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    app = app_of({**upstream_env, **CLOSED})
    key = issue(app, models=("other",))

    for path in (MESSAGES, COUNT_TOKENS):
        answer = app.test_client().post(path, json=body_of(), headers={"x-api-key": key.secret})

        assert (answer.status_code, refusal_of(answer).reason) == (403, "model_not_allowed")
        assert answer.json["error"]["type"] == "permission_error"


@pytest.mark.parametrize("strict", ["true", "false"])
def test_an_unknown_field_is_refused_where_the_settings_say_so(
    app_of: AppOf, upstream_env: dict[str, str], strict: str
) -> None:
    client = app_of({**upstream_env, "REFUSE_UNKNOWN_PARAMETERS": strict}).test_client()

    unknown = ask(client, temprature=1)
    # What Anthropic's reference has is known.
    known = ask(client, context_management={}, cache_control={"type": "ephemeral"}, seed=1)

    assert unknown.status_code == (400 if strict == "true" else 200)
    assert known.status_code == 200


def test_models_are_listed_as_the_client_reads_them(app: Flask) -> None:
    client = app.test_client()
    version = {"anthropic-version": "2023-06-01"}

    listed = client.get("/v1/models", headers=version).json
    one = client.get("/v1/models/scripted", headers=version).json
    plain = client.get("/v1/models").json

    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (
        False,
        "scripted",
        listed["data"][-1]["id"],
    )
    assert listed["data"][0] == one
    assert {name: one[name] for name in ("id", "type", "display_name", "lifecycle")} == {
        "id": "scripted",
        "type": "model",
        "display_name": "scripted",
        "lifecycle": "active",
    }
    assert one["created_at"] == "1970-01-01T00:00:00Z"
    assert set(plain) == {"object", "data"}
    assert "type" not in plain["data"][0]
