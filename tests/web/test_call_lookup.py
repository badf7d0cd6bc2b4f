"""`GET /api/v1/usage/{request_id}`: all that is known of a call, for whom it concerns."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.storage.records import begun
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import ADMIN, CLOSED, STATIC, bearer, issue
from tests.web.refusals import CHAT, good_body

SAID = "Your account is in arrears, id acc-4711."
KEPT = "Your account is in arrears, id […]"


@pytest.fixture
def closed(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that requires keys."""
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def client(closed: Flask) -> FlaskClient:
    """Call it."""
    return closed.test_client()


def ask(client: FlaskClient, secret: str = STATIC, **headers: str) -> str:
    """Make a call, and return what its answer calls it."""
    sent = {**bearer(secret), **headers}
    return client.post(CHAT, json=good_body(CHAT), headers=sent).headers["x-request-id"]


def look_up(client: FlaskClient, request_id: str, secret: str = ADMIN) -> Any:
    """Look a call up with a key."""
    return client.get(f"/api/v1/usage/{request_id}", headers=bearer(secret))


def calls(client: FlaskClient, request_id: str, secret: str = ADMIN) -> list[dict[str, Any]]:
    """Return what is found."""
    found: list[dict[str, Any]] = look_up(client, request_id, secret).get_json()["calls"]
    return found


def test_a_call_is_told_from_its_attempts_to_its_cost(
    client: FlaskClient, closed: Flask, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(503, "busy", "We are busy"), replies.completion("Hi"))
    request_id = ask(client, **{"X-Usage-Tags": "team=video"})
    closed.extensions["llm_api_spool"].flush()

    (call,) = calls(client, request_id)

    assert call["is_stored"] is True
    assert call["key"] == {"id": "env:ci", "name": "ci"}
    assert (call["model"], call["upstream"], call["status"]) == ("scripted", "fast", "ok")
    reasons = [(one["reason"], one["status"], one["said"]) for one in call["attempts"]]
    assert reasons == [("upstream_unavailable", 503, "We are busy"), (None, None, None)]
    assert call["tokens"]["prompt_tokens"] == 5
    assert call["tags"] == ["team=video"]
    times = call["times"]
    assert times["total_ms"] >= times["upstream_ms"] >= 0
    assert times["queue_ms"] + times["own_ms"] + times["upstream_ms"] <= times["total_ms"] + 1


def test_a_call_whose_row_is_on_its_way_is_found(client: FlaskClient) -> None:
    request_id = ask(client, **{"X-Request-Id": "from-the-proxy"})

    (call,) = calls(client, request_id)

    assert request_id == "from-the-proxy"
    assert call["status"] == "ok"
    assert call["shown_id"] == "from-the-proxy"


def test_a_call_in_progress_is_found(client: FlaskClient, closed: Flask) -> None:
    record = begun("req_now", key_id="env:ci")
    closed.extensions["llm_api_spool"].begin(record)

    (call,) = calls(client, "req_now", STATIC)

    assert (call["status"], call["is_stored"], call["attempts"]) == ("in_progress", False, [])


def test_an_id_that_was_sent_twice_finds_both_calls(client: FlaskClient) -> None:
    for _ in range(2):
        ask(client, **{"X-Request-Id": "twice"})

    found = calls(client, "twice")

    assert len({call["request_id"] for call in found}) == 2
    assert [len(calls(client, call["request_id"])) for call in found] == [1, 1]


def test_a_key_sees_its_own_calls_and_no_word_of_the_upstream(
    client: FlaskClient, closed: Flask, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(402, "Arrearage", SAID))
    request_id = ask(client)
    other = issue(closed).secret

    own, of_admin = (calls(client, request_id, secret)[0] for secret in (STATIC, ADMIN))
    of_other = look_up(client, request_id, other)

    assert own["attempts"][0]["said"] is None
    assert of_admin["attempts"][0]["said"] == KEPT
    assert own["reason"] == "upstream_account"
    assert (of_other.status_code, of_other.get_json()["error"]["details"]["reason"]) == (
        404,
        "call_not_found",
    )


def test_where_no_keys_are_needed_nobody_sees_a_word_of_the_upstream(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(402, "Arrearage", SAID))
    client = app_of(upstream_env).test_client()
    request_id = client.post(CHAT, json=good_body(CHAT)).headers["x-request-id"]

    (call,) = client.get(f"/api/v1/usage/{request_id}").get_json()["calls"]

    assert (call["reason"], call["attempts"][0]["said"]) == ("upstream_account", None)


@each("request_id", ["req_unknown", "x" * 500, "%00", "%F0%9F%98%80", "a%20b", "'%20OR%201=1--"])
def test_what_is_no_call_is_not_found(client: FlaskClient, request_id: str) -> None:
    answer = look_up(client, request_id)

    assert answer.status_code == 404
    assert "another machine" in answer.get_json()["error"]["message"]
