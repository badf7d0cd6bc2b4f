"""`POST /v1/responses` over an upstream that has the Responses API itself."""

from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppOf, UsageRowsOf
from tests.support import passed_responses as sent
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.openai.responses.response_streams import accumulated, events_in, typed

PATH = "/v1/responses"
BODY: Mapping[str, Any] = {"model": "scripted", "input": "Hi", "store": True}
STREAM: Mapping[str, Any] = {**BODY, "stream": True}
EVENTS = sent.text_events("Hel", "lo")
CANARY = "canary of the vendor's prompt"
# As Codex sends them with every request.
TOOLS = [
    {"type": "web_search", "external_web_access": False},
    {
        "type": "namespace",
        "name": "agents",
        "description": "Others.",
        "tools": [{"type": "function", "name": "spawn", "parameters": {"type": "object"}}],
    },
    {"type": "custom", "name": "patch"},
]


@pytest.fixture
def app(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Serve before an upstream of OpenAI's profile."""
    return app_of({**upstream_env, "FAST_LLM_PROFILE": "openai"})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Call that application."""
    return app.test_client()


def ask(client: FlaskClient, body: Mapping[str, Any], **headers: str) -> TestResponse:
    """Send a request and read its answer to the end."""
    answer = client.post(PATH, json=body, headers=headers)
    answer.get_data()
    answer.close()
    return answer


def test_a_whole_answer_is_the_upstreams(
    client: FlaskClient, upstream: ScriptedUpstream, app: Flask, usage_rows_of: UsageRowsOf
) -> None:
    document = sent.response({"id": "ws_1", "type": "web_search_call", "status": "completed"})
    upstream.script(replies.json_reply(200, document))

    answer = ask(client, {**BODY, "tools": TOOLS, "include": ["reasoning.encrypted_content"]})

    assert (answer.status_code, answer.json) == (200, document)
    assert "x-dropped-params" not in answer.headers
    [request] = upstream.requests
    assert (request.path, request.json["tools"]) == ("/v1/responses", TOOLS)
    assert request.json["store"] is False
    [row] = usage_rows_of(app)
    assert (row["prompt_tokens"], row["completion_tokens"], row["route"]) == (5, 2, PATH)


def test_a_stream_is_the_upstreams(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    upstream.script(sent.stream(EVENTS))

    answer = ask(client, STREAM)

    assert events_in(answer.data) == EVENTS
    assert accumulated(typed(EVENTS)).output_text == "Hello"


@each("usage", [None, {}, {"input_tokens": 5}, {"output_tokens": 2, "total_tokens": 2}, "7"])
@each("body", [BODY, STREAM])
def test_what_the_upstream_did_not_count_is_estimated(
    client: FlaskClient, upstream: ScriptedUpstream, body: Mapping[str, Any], usage: Any
) -> None:
    uncounted = sent.response(sent.message("Hello there."), usage=usage)
    end = {**EVENTS[-1], "response": uncounted}
    whole = replies.json_reply(200, uncounted)
    upstream.script(sent.stream([*EVENTS[:-1], end]) if "stream" in body else whole)

    answer = ask(client, body)

    document = events_in(answer.data)[-1]["response"] if "stream" in body else answer.json
    assert document["usage"]["output_tokens"] == 3
    assert document["usage"]["input_tokens"] > 0
    assert document["output"] == uncounted["output"]


@each("body", [BODY, STREAM])
def test_a_total_that_the_upstream_leaves_out_is_the_sum(
    client: FlaskClient, upstream: ScriptedUpstream, body: Mapping[str, Any]
) -> None:
    half = sent.response(sent.message("Hello"), usage={"input_tokens": 5, "output_tokens": 2})
    end = {**EVENTS[-1], "response": half}
    whole = replies.json_reply(200, half)
    upstream.script(sent.stream([*EVENTS[:-1], end]) if "stream" in body else whole)

    answer = ask(client, body)

    document = events_in(answer.data)[-1]["response"] if "stream" in body else answer.json
    counts = {name: document["usage"][name] for name in ("input_tokens", "output_tokens")}
    assert counts == {"input_tokens": 5, "output_tokens": 2}
    assert document["usage"]["total_tokens"] == 7
    assert document["usage"]["input_tokens_details"]["cached_tokens"] == 0


def test_a_tool_that_must_be_called_need_not_be_one_of_a_chat(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(sent.reply())

    answer = ask(client, {**BODY, "tools": TOOLS, "tool_choice": {"type": "web_search"}})

    assert answer.status_code == 200
    assert upstream.requests[0].json["tool_choice"] == {"type": "web_search"}


@pytest.mark.parametrize("body", [BODY, STREAM])
def test_what_was_answered_can_be_referred_to(
    client: FlaskClient, upstream: ScriptedUpstream, body: Mapping[str, Any]
) -> None:
    streams = sent.stream(EVENTS)
    upstream.script(
        streams if "stream" in body else sent.reply(sent.message("Hello")), sent.reply()
    )
    ask(client, body)

    reference = {"type": "item_reference", "id": sent.MESSAGE}
    answer = ask(client, {**BODY, "input": [reference, {"role": "user", "content": "And?"}]})

    assert answer.status_code == 200
    said, _ = upstream.requests[1].json["input"]
    assert "id" not in said
    assert said["content"][0]["text"] == "Hello"


def test_a_failure_in_the_middle_ends_the_stream_with_both_events(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    error = {"type": "error", "code": "server_error", "message": CANARY}
    upstream.script(sent.stream([*EVENTS[:5], error]))

    answer = ask(client, STREAM)

    *passed, told, failed = events_in(answer.data)
    assert passed == EVENTS[:5]
    assert (told["type"], failed["type"]) == ("error", "response.failed")
    assert [told["sequence_number"], failed["sequence_number"]] == [5, 6]
    assert failed["response"]["id"] == EVENTS[0]["response"]["id"]
    assert CANARY.encode() not in answer.data


def test_a_failure_before_is_no_stream(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    error = {"code": "invalid_prompt", "message": "It is empty."}
    failed = sent.response(status="failed", error=error)
    upstream.script(sent.stream([*EVENTS[:2], {"type": "response.failed", "response": failed}]))

    answer = ask(client, STREAM)

    assert (answer.status_code, answer.json["error"]["code"]) == (400, "upstream_rejected")


def test_a_cut_stream_is_a_failure_and_its_items_are_not_kept(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(sent.stream(EVENTS[:-1]))

    answer = ask(client, STREAM)

    failed = events_in(answer.data)[-1]["response"]
    assert (failed["status"], failed["output"]) == ("failed", [sent.message("Hello")])
    reference = [{"type": "item_reference", "id": sent.MESSAGE}]
    assert ask(client, {**BODY, "input": reference}).status_code == 404


def test_a_repeat_gets_the_events_of_the_first(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(sent.stream(EVENTS))

    first, second = (ask(client, STREAM, **{"Idempotency-Key": "k-1"}) for _ in range(2))

    assert first.data == second.data
    assert len(upstream.requests) == 1


def test_codex_falls_back_to_chats(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    upstream.script(replies.json_reply(404, {"detail": "Not Found"}), replies.completion("Hello"))

    answer = ask(client, {**BODY, "tools": TOOLS})

    assert answer.json["output"][0]["content"][0]["text"] == "Hello"
    assert "tools.web_search" in answer.headers["x-dropped-params"]
    names = {tool["function"]["name"] for tool in upstream.requests[1].json["tools"]}
    assert names == {"agents__spawn", "patch"}
