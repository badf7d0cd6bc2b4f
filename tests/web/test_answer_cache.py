"""Equal requests that ask for it with `X-Cache-TTL` get one answer; no other request does."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse

from llm_api.domain.repeats import CacheRules
from llm_api.web.answer_cache import cache_key
from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.servers import ValkeyServer
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CHAT, COMPLETIONS = "/api/v1/llm/chat", "/v1/chat/completions"
ENGINE, TEXT = "/v1/engines/scripted/chat/completions", "/v1/completions"
MESSAGES = [{"role": "user", "content": "hello"}]
REST: Mapping[str, Any] = {"model": "scripted", "messages": MESSAGES}
STREAM: Mapping[str, Any] = {**REST, "stream": True}
CACHED = {"X-Cache-TTL": "600"}
ADMIN_KEY = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
Headers = Mapping[str, str]


def ask(
    client: FlaskClient,
    headers: Headers = CACHED,
    body: Mapping[str, Any] = REST,
    path: str = COMPLETIONS,
) -> TestResponse:
    """Send a request and read its answer to the end."""
    answer = client.post(path, json=body, headers=dict(headers))
    answer.get_data()
    answer.close()
    return answer


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, ENGINE])
def test_an_equal_request_gets_the_kept_answer_without_a_call(
    app: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf, path: str
) -> None:
    client = app.test_client()

    first, second = (ask(client, path=path) for _ in range(2))

    assert (first.status_code, first.headers["x-cache"]) == (200, "miss")
    assert (second.status_code, second.headers["x-cache"]) == (200, "hit")
    assert second.data == first.data
    assert "idempotent-replayed" not in second.headers
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(upstream.requests) == 1
    assert len(usage_rows_of(app)) == 1


def test_a_kept_stream_is_streamed_again(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    upstream.script(replies.completion_stream("Hel", "lo"))

    first, second = (ask(client, body=STREAM) for _ in range(2))

    assert first.data.endswith(b"data: [DONE]\n\n")
    assert second.data == first.data
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert second.headers["X-Accel-Buffering"] == "no"
    assert [one.headers["x-cache"] for one in (first, second)] == ["miss", "hit"]
    assert len(upstream.requests) == 1


def test_who_does_not_ask_for_it_gets_no_kept_answer(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    answers = [ask(client, headers) for headers in (CACHED, {}, {"x-stainless-retry-count": "1"})]

    assert [answer.headers.get("x-cache") for answer in answers] == ["miss", None, None]
    assert len(upstream.requests) == 3


def test_whatever_changes_an_answer_makes_another_request(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    others: list[tuple[Headers, Mapping[str, Any], str]] = [
        (CACHED, {**REST, "temperature": 0.5}, COMPLETIONS),
        (CACHED, STREAM, COMPLETIONS),
        (CACHED, REST, CHAT),
        ({"X-Cache-TTL": "60"}, REST, COMPLETIONS),
        ({**CACHED, "Authorization": "Bearer another"}, REST, COMPLETIONS),
    ]
    ask(client)

    answers = [ask(client, *other) for other in others]

    assert [answer.headers["x-cache"] for answer in answers] == ["miss"] * len(others)
    assert len(upstream.requests) == 1 + len(others)


def test_a_key_that_may_use_less_than_before_gets_nothing_kept(
    app_of: AppOf, upstream_env: Mapping[str, str]
) -> None:
    app = app_of({**upstream_env, "REQUIRE_API_KEY": "true", "ADMIN_API_KEY": ADMIN_KEY})
    client, admin = app.test_client(), {"Authorization": f"Bearer {ADMIN_KEY}"}
    made = client.post("/api/v1/keys", json={"name": "shop"}, headers=admin).json
    own = {**CACHED, "Authorization": f"Bearer {made['secret']}"}
    ask(client, own)
    assert ask(client, own).headers["x-cache"] == "hit"

    change = {"models": ["another"]}
    assert client.patch(f"/api/v1/keys/{made['id']}", json=change, headers=admin).status_code == 200

    assert ask(client, own).json["error"]["code"] == "model_not_allowed"


def test_a_fresh_answer_replaces_the_kept_one(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion("old"), replies.completion("new"))
    ask(client)

    fresh = ask(client, {**CACHED, "Cache-Control": "no-cache"})

    assert fresh.headers["x-cache"] == "miss"
    assert ask(client).data == fresh.data
    assert b"new" in fresh.data


def test_failures_are_not_kept(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    upstream.script(replies.api_error(404), replies.completion("at last"))

    assert [ask(client).status_code for _ in range(3)] == [404, 200, 200]
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("body", [REST, STREAM], ids=["whole", "streamed"])
def test_the_answer_of_a_substitute_is_not_kept(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: Mapping[str, str], body: Any
) -> None:
    with ScriptedUpstream() as backup:
        substitute = {"BACKUP_LLM_API_URL": backup.url, "BACKUP_LLM_MODEL": "spare"}
        fallback = {"EXTRA_UPSTREAMS": "backup", "FAST_LLM_FALLBACK": "backup"}
        client = app_of({**upstream_env, **fallback, **substitute}).test_client()
        upstream.script(replies.api_error(401), replies.completion_stream("own"))

        answers = [ask(client, body=body) for _ in range(2)]

    assert "x-fallback-from" in answers[0].headers
    assert "x-fallback-from" not in answers[1].headers
    assert [answer.headers["x-cache"] for answer in answers] == ["miss", "miss"]


def test_a_key_of_the_callers_own_comes_first(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    answers = [ask(client, {**CACHED, "Idempotency-Key": name}) for name in ("one", "two", "one")]

    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, None, "true"]
    assert all("x-cache" not in answer.headers for answer in answers)
    assert len(upstream.requests) == 2


def test_requests_at_the_same_time_share_one_call(app: Flask, upstream: ScriptedUpstream) -> None:
    is_open = threading.Event()

    def answer(_: object) -> replies.Reply:
        assert is_open.wait(30)
        return replies.completion("Hello")

    upstream.script(replies.answer_with(answer))
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask, app.test_client()) for _ in range(20)]
        wait_until(lambda: upstream.requests, 10, "one of them reaches the upstream")
        is_open.set()
        answers = [future.result() for future in asked]

    assert len({answer.data for answer in answers}) == 1
    assert len(upstream.requests) == 1


def test_what_is_no_number_of_seconds_is_refused(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    for text in ("", "0", "-1", "1.5", "ten", "31536001", "٣", "9" * 400, "1 2"):
        answer = ask(client, {"X-Cache-TTL": text}, path=CHAT)

        assert answer.status_code == 400, text
        assert answer.json["error"]["details"]["errors"] == [
            {"field": "X-Cache-TTL", "message": "must be a number of seconds from 1 to 31536000."}
        ]
    assert upstream.requests == []


def test_an_operator_can_switch_it_off(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: Mapping[str, str]
) -> None:
    client = app_of({**upstream_env, "ANSWER_CACHE_MAX_SECONDS": "0"}).test_client()

    answers = [ask(client) for _ in range(2)]

    assert all("x-cache" not in answer.headers for answer in answers)
    assert len(upstream.requests) == 2


def test_an_answer_is_kept_for_no_longer_than_the_operator_allows(app: Flask) -> None:
    incoming = Request(EnvironBuilder(headers={"X-Cache-TTL": "31536000"}).get_environ())

    with app.test_request_context(headers={"X-Cache-TTL": "31536000"}):
        app.preprocess_request()
        kept = cache_key(incoming, "somebody", "fingerprint", CacheRules(3_600, "rules"))

    assert kept is not None
    assert kept.keep_s == 3_600


def test_routes_without_a_cache_take_no_notice_of_the_header(client: FlaskClient) -> None:
    sketch = {"model": "layout-sketch", "prompt": "two red balls", "wait_ms": 20_000}

    answer = ask(client, body=sketch, path="/api/v1/images/generate")

    assert answer.status_code == 200, answer.data
    assert "x-cache" not in answer.headers


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path) as server:
        yield server


def test_processes_share_kept_answers_while_their_models_are_the_same(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str], valkey: ValkeyServer
) -> None:
    env = {**upstream_env, "RATELIMIT_STORAGE_URI": valkey.url}
    one, other = app_of(env), app_of(env)
    changed = app_of({**env, "FAST_LLM_MODEL": "another"})

    answers = [ask(app.test_client()) for app in (one, other, changed)]

    assert [answer.headers["x-cache"] for answer in answers] == ["miss", "hit", "miss"]
    assert answers[1].data == answers[0].data
    assert len(upstream.requests) == 2
