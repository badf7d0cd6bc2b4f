"""C35: where a model fails before its answer begins, another one answers, and both are named."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.ports import LOOPBACK, free_port
from tests.support.replies import Reply, chunk
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, good_body

PROMPT = "/api/v1/llm/optimize-prompt"
Rows = Callable[[], list[dict[str, Any]]]
FAULTS = [
    pytest.param(([replies.close_before_answer()] * 2, "upstream_disconnected"), id="gone"),
    pytest.param(([replies.api_error(503)] * 2, "upstream_unavailable"), id="503"),
    pytest.param(([replies.api_error(429)] * 2, "upstream_rate_limited"), id="429"),
    pytest.param(([replies.api_error(401)], "upstream_auth"), id="401"),
    pytest.param(([replies.api_error(400, "Arrearage")], "upstream_account"), id="account"),
    pytest.param(
        ([replies.api_error(429, "insufficient_quota")], "upstream_rate_limited"), id="quota"
    ),
    pytest.param(
        ([replies.json_reply(200, {"error": {"code": "Arrearage"}})], "upstream_account"),
        id="account in a 200",
    ),
    pytest.param(([replies.redirect(302, "http://x/")], "upstream_redirect"), id="redirect"),
    pytest.param(([replies.hang(30)], "upstream_timeout"), id="hangs"),
]
REFUSALS = [
    (replies.api_error(400, "data_inspection_failed"), "content_filtered"),
    (replies.api_error(400, "InvalidParameter"), "upstream_rejected"),
    (replies.api_error(400, "context_length_exceeded"), "context_length_exceeded"),
    (replies.api_error(404, "model_not_found"), "model_not_found"),
    (replies.json_reply(200, {"choices": []}), "upstream_bad_response"),
]


@pytest.fixture
def backup() -> Iterator[ScriptedUpstream]:
    """Run the upstream that is tried second."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def env(upstream_env: Mapping[str, str], backup: ScriptedUpstream) -> dict[str, str]:
    """Name the second upstream as the fallback of the first."""
    return {
        **upstream_env,
        "EXTRA_UPSTREAMS": "backup",
        "BACKUP_LLM_API_URL": backup.url,
        "BACKUP_LLM_MODEL": "spare",
        "FAST_LLM_FALLBACK": "judge,backup",  # the judge is not configured, and passed over
        "UPSTREAM_FIRST_BYTE_TIMEOUT": "1",
    }


@pytest.fixture
def app(app_of: AppOf, env: Mapping[str, str]) -> Flask:
    """Build the application with the fallback."""
    return app_of(env)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Call it."""
    return app.test_client()


@pytest.fixture
def rows(app: Flask, usage_rows_of: UsageRowsOf) -> Rows:
    """Read the usage rows."""
    return lambda: usage_rows_of(app)


def told(answer: TestResponse) -> list[str | None]:
    """Return what the headers tell of a fallback."""
    return [answer.headers.get(f"x-fallback-{what}") for what in ("from", "to", "reason")]


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize("fault", FAULTS)
def test_another_model_answers_and_both_are_named(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    backup: ScriptedUpstream,
    rows: Rows,
    fault: tuple[list[Reply], str],
    path: str,
) -> None:
    script, reason = fault
    upstream.script(*script)

    answer = client.post(path, json=good_body(path) | {"model": "asked"})

    document = answer.get_json()
    [row] = rows()
    assert answer.status_code == 200
    assert document["choices"][0]["message"]["content"]
    assert document["fallback"] == {
        "asked": {"upstream": "fast", "model": "asked"},
        "used": {"upstream": "backup", "model": "spare"},
        "reason": reason,
    }
    assert told(answer) == ["fast/asked", "backup/spare", reason]
    assert (row["status"], row["requested_model"], row["model"]) == ("ok", "asked", "spare")
    assert (row["upstream"], row["attempts"]) == ("backup", len(script) + 1)
    assert [(one["upstream"], one["model"], one["reason"]) for one in row["attempts_detail"]] == [
        *[("fast", "asked", reason)] * len(script),
        ("backup", "spare", None),
    ]
    assert row["prompt_tokens"] > 0
    assert len(backup.requests) == 1
    assert backup.requests[0].json["model"] == "spare"


def test_a_good_answer_tells_of_no_fallback(
    client: FlaskClient, backup: ScriptedUpstream, rows: Rows
) -> None:
    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS))

    [row] = rows()
    assert "fallback" not in answer.get_json()
    assert told(answer) == [None, None, None]
    assert [one["reason"] for one in row["attempts_detail"]] == [None]
    assert backup.connections == 0


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize(("reply", "reason"), REFUSALS, ids=[reason for _, reason in REFUSALS])
def test_what_was_refused_for_itself_is_asked_nowhere_else(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    backup: ScriptedUpstream,
    reply: Reply,
    path: str,
    reason: str,
) -> None:
    upstream.script(reply)

    answer = client.post(path, json=good_body(path) | {"model": "asked"})

    assert answer.get_json()["error"]["details"]["reason"] == reason
    assert (len(upstream.requests), backup.connections) == (1, 0)


@pytest.mark.parametrize("path", CHATS)
def test_where_all_fail_the_caller_is_told_how_the_first_did(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    backup: ScriptedUpstream,
    rows: Rows,
    path: str,
) -> None:
    upstream.script(*[replies.api_error(503)] * 2)
    backup.script(replies.api_error(400, "InvalidParameter"))

    answer = client.post(path, json=good_body(path))

    [row] = rows()
    error = answer.get_json()["error"]
    assert (answer.status_code, error["details"]["reason"]) == (503, "upstream_unavailable")
    assert (len(upstream.requests), len(backup.requests)) == (2, 1)
    assert [one["reason"] for one in row["attempts_detail"]] == [
        "upstream_unavailable",
        "upstream_unavailable",
        "upstream_rejected",
    ]
    assert (row["status"], row["reason"]) == ("upstream_error", "upstream_unavailable")
    if path == COMPLETIONS:
        assert answer.headers["x-should-retry"] == "false"


def test_an_upstream_that_is_left_alone_costs_no_attempt(
    app_of: AppOf, env: dict[str, str], upstream: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(401))
    client = app_of(env | {"CIRCUIT_BREAKER": "true"}).test_client()

    answers = [client.post(CHAT, json=good_body(CHAT)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert [told(answer)[2] for answer in answers] == ["upstream_auth"] + ["circuit_open"] * 2
    assert (len(upstream.requests), len(backup.requests)) == (1, 3)


def test_an_upstream_without_a_free_place_is_passed_over(
    app_of: AppOf, env: dict[str, str], upstream: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    app = app_of(env | {"UPSTREAM_CONCURRENCY": "1", "UPSTREAM_FIRST_BYTE_TIMEOUT": "60"})
    upstream.script(
        replies.sse([chunk({"content": "a"})], done=False, silence_s=30), replies.completion()
    )
    held = app.test_client().post(
        COMPLETIONS, json=good_body(COMPLETIONS) | {"stream": True}, buffered=False
    )
    next(held.response)

    answer = app.test_client().post(CHAT, json=good_body(CHAT))

    held.close()
    assert (answer.status_code, told(answer)[2]) == (200, "overloaded")
    assert len(backup.requests) == 1


# --- streams ---


@pytest.mark.parametrize(
    "reply", [replies.api_error(503), replies.sse(['{"error":{"code":"Arrearage"}}'])]
)
def test_a_stream_falls_back_before_its_first_event(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    backup: ScriptedUpstream,
    rows: Rows,
    reply: Reply,
) -> None:
    upstream.script(reply, replies.api_error(503))

    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"stream": True})

    events = [line[6:] for line in answer.data.split(b"\n\n") if line.startswith(b"data: ")]
    chunks = [json.loads(event) for event in events[:-1]]
    [row] = rows()
    assert (answer.status_code, events[-1]) == (200, b"[DONE]")
    assert chunks[0]["fallback"]["used"] == {"upstream": "backup", "model": "spare"}
    assert not any("fallback" in later for later in chunks[1:])
    assert told(answer)[:2] == ["fast/" + row["requested_model"], "backup/spare"]
    assert (row["status"], row["upstream"], row["model"]) == ("ok", "backup", "spare")
    assert len(backup.requests) == 1


def test_nothing_is_asked_elsewhere_after_the_first_event(
    client: FlaskClient, upstream: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    upstream.script(replies.sse([chunk({"content": "a"})], done=False, ending="reset"))

    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"stream": True})

    assert b"upstream_truncated" in answer.data
    assert backup.connections == 0


# --- other ways ---


def test_a_prompt_is_optimized_by_the_fallback(
    client: FlaskClient, upstream: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    upstream.script(*[replies.api_error(503)] * 2)

    answer = client.post(PROMPT, json={"prompt": "A cat on a chair", "type": "image"})

    assert answer.status_code == 200
    assert set(answer.get_json()) <= {
        "original_prompt",
        "optimized_prompt",
        "improvements",
        "warnings",
    }
    assert told(answer) == ["fast/scripted", "backup/spare", "upstream_unavailable"]
    assert len(backup.requests) == 1


def test_a_repeat_with_the_same_key_hears_of_the_fallback(
    client: FlaskClient, upstream: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(401))
    headers = {"Idempotency-Key": "k"}

    first, repeat = (client.post(CHAT, json=good_body(CHAT), headers=headers) for _ in range(2))

    assert repeat.headers["idempotent-replayed"] == "true"
    assert told(repeat) == told(first)
    assert repeat.get_json() == first.get_json()
    assert len(backup.requests) == 1


def test_three_attempts_are_made_in_all(
    app_of: AppOf, env: dict[str, str], upstream: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    more = {
        "EXTRA_UPSTREAMS": "backup,third",
        "THIRD_LLM_API_URL": f"http://{LOOPBACK}:{free_port()}/v1",
        "THIRD_LLM_MODEL": "third",
        "FAST_LLM_FALLBACK": "backup,third",
    }
    upstream.script(*[replies.api_error(503)] * 2)
    backup.script(*[replies.api_error(503)] * 2)

    answer = app_of(env | more).test_client().post(CHAT, json=good_body(CHAT))

    assert answer.status_code == 503
    assert (len(upstream.requests), len(backup.requests)) == (2, 1)


def test_embeddings_are_not_made_by_another_model(
    client: FlaskClient, upstream: ScriptedUpstream, backup: ScriptedUpstream
) -> None:
    upstream.script(*[replies.api_error(503)] * 2)

    answer = client.post("/v1/embeddings", json={"model": "m", "input": "a"})

    assert answer.status_code == 503
    assert backup.connections == 0
