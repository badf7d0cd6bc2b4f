"""An id that a trusted proxy or the holder of a key sends names the call wherever it is told of."""

import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import ADMIN, CLOSED, STATIC, bearer
from tests.web.refusals import CHAT, COMPLETIONS, good_body

TAKEN = "checkout-4711:a.b_c=+@~"
NAME = "X-Request-Id"


@pytest.fixture
def closed(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that requires keys."""
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def client(closed: Flask) -> FlaskClient:
    """Call it."""
    return closed.test_client()


def ask(client: FlaskClient, sent: str, path: str = CHAT, **fields: object) -> Any:
    """Send a call with a key and an id of its own."""
    headers = {**bearer(STATIC), NAME: sent}
    return client.post(path, json=good_body(path) | fields, headers=headers)


def test_the_id_of_a_call_with_a_key_is_shown_passed_on_stored_and_logged(
    client: FlaskClient,
    closed: Flask,
    upstream: ScriptedUpstream,
    usage_rows_of: UsageRowsOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    answer = ask(client, TAKEN)

    (row,), sent = usage_rows_of(closed), upstream.requests[0].header
    own = answer.headers["x-call-id"]
    assert (answer.headers["x-request-id"], answer.headers["request-id"]) == (TAKEN, TAKEN)
    assert (row["request_id"], row["shown_id"]) == (own, TAKEN)
    assert (sent("X-Client-Request-Id"), sent(NAME)) == (TAKEN, f"{TAKEN}.{own}")
    (line,) = [vars(one) for one in caplog.records if one.msg == "request"]
    assert line["call_id"] == own


def test_the_log_line_says_who_called_what_and_for_how_much(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    with ask(client, TAKEN, COMPLETIONS, stream=True) as answer:
        answer.get_data()
    ask(client, TAKEN, COMPLETIONS, messages="wrong")

    good, refused = [vars(one) for one in caplog.records if one.msg == "request"]
    who = {"key": "env:ci", "address": "127.0.0.1", "route": COMPLETIONS}
    what = {"model": "scripted", "upstream": "fast", "attempts": 1, "status": 200}
    assert who.items() <= good.items()
    assert what.items() <= good.items()
    assert good["completion_tokens"] > 0
    assert "reason" not in good
    assert who.items() <= refused.items()
    assert (refused["status"], refused["reason"]) == (400, "invalid_type")
    assert "model" not in refused


def test_the_log_line_of_a_failed_call_has_its_causes(
    client: FlaskClient, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upstream.script(replies.api_error(401, "invalid_api_key", "Incorrect API key: sk-abc123."))

    ask(client, TAKEN)

    (line,) = [vars(one) for one in caplog.records if one.msg == "request"]
    assert (line["reason"], line["causes"]) == ("upstream_auth", ["upstream_auth"])
    assert (line["upstream_status"], line["upstream_said"]) == (401, "Incorrect API key: […]")


def test_an_error_has_the_id_in_its_body(client: FlaskClient) -> None:
    answer = ask(client, TAKEN, messages="wrong")

    assert answer.get_json()["error"]["details"]["request_id"] == TAKEN


@each(
    "sent",
    ["", "-a", "a b", "a,b", "a/b", 'a"b', "é", "x" * 129, f"key {STATIC}", STATIC, f"id.{ADMIN}"],
)
def test_what_is_no_id_is_passed_over(client: FlaskClient, sent: str) -> None:
    answer = ask(client, sent)

    assert answer.status_code == 200
    assert answer.headers["x-request-id"].startswith("req_")
    assert "x-call-id" not in answer.headers


def test_the_longest_id_is_taken(client: FlaskClient) -> None:
    assert ask(client, "x" * 128).headers["x-request-id"] == "x" * 128


def test_an_id_without_a_valid_key_is_ours(client: FlaskClient) -> None:
    answer = client.post(CHAT, json=good_body(CHAT), headers={NAME: TAKEN, **bearer("wrong")})

    assert answer.status_code == 401
    assert answer.headers["x-request-id"].startswith("req_")


def test_without_keys_only_a_trusted_proxy_names_calls(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    found = {}
    for count in ("0", "1"):
        client = app_of({**upstream_env, "TRUSTED_PROXIES": count}).test_client()
        found[count] = client.get("/v1/models", headers={NAME: TAKEN}).headers["x-request-id"]

    assert found["0"].startswith("req_")
    assert found["1"] == TAKEN


def test_an_id_sent_twice_has_two_rows_and_two_names_upstream(
    client: FlaskClient, closed: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    answers = [ask(client, TAKEN) for _ in range(2)]

    rows = usage_rows_of(closed)
    assert {row["request_id"] for row in rows} == {one.headers["x-call-id"] for one in answers}
    assert [row["shown_id"] for row in rows] == [TAKEN, TAKEN]
    assert len({one.header(NAME) for one in upstream.requests}) == 2


def test_each_attempt_has_a_name_of_its_own_upstream(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(500), replies.completion("Hi"))

    own = client.post(CHAT, json=good_body(CHAT), headers=bearer(STATIC)).headers["x-request-id"]

    names = [one.header(NAME) for one in upstream.requests]
    assert names == [own, f"{own}-2"]
    assert {one.header("X-Client-Request-Id") for one in upstream.requests} == {own}


def test_the_calls_of_a_batch_are_known_by_the_batch(
    client: FlaskClient, closed: Flask, usage_rows_of: UsageRowsOf
) -> None:
    prompts = [{"prompt": text, "type": "image"} for text in ("a cat", "a dog")]

    answer = client.post(
        "/api/v1/llm/optimize-prompts",
        json={"prompts": prompts},
        headers={**bearer(STATIC), NAME: TAKEN},
    )

    rows = usage_rows_of(closed)
    own = answer.headers["x-call-id"]
    assert {row["request_id"] for row in rows} >= {f"{own}_0", f"{own}_1"}
    assert {row["shown_id"] for row in rows} == {TAKEN}
