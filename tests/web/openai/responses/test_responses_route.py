"""`POST /v1/responses` over an upstream that has chats."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openai.types.responses import Response
from werkzeug.test import TestResponse

from tests.conftest import UsageRowsOf
from tests.support import replies
from tests.support.replies import Reply, chunk
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.openai.responses.response_streams import accumulated, events_in, typed

PATH = "/v1/responses"
BODY: Mapping[str, Any] = {"model": "scripted", "input": "Hi"}
STREAM: Mapping[str, Any] = {**BODY, "stream": True}
CODEX = {"originator": "codex_exec"}
CACHED = {"X-Cache-TTL": "600"}
HELLO = chunk({"role": "assistant", "content": "Hel"})
TOOL: Mapping[str, Any] = {
    "type": "function",
    "name": "draw",
    "parameters": {"type": "object", "properties": {}},
}


def ask(
    client: FlaskClient, body: Mapping[str, Any] = BODY, headers: Mapping[str, str] | None = None
) -> TestResponse:
    """Send a request and read its answer to the end."""
    answer = client.post(PATH, json=body, headers=dict(headers or {}))
    answer.get_data()
    answer.close()
    return answer


def failed(answer: TestResponse) -> tuple[list[str], dict[str, Any]]:
    """Return the types of a failed stream's events, and the error of its response."""
    events = events_in(answer.data)
    return [event["type"] for event in events], events[-1]["response"]["error"]


def test_a_whole_answer_is_a_response(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    upstream.script(replies.completion("Hello", usage=usage))

    answer = ask(client, {**BODY, "metadata": {"a": "b"}, "temperature": 0.5})

    response = Response.model_validate_json(answer.data)
    assert (answer.status_code, response.output_text) == (200, "Hello")
    assert (response.status, response.metadata, response.temperature) == (
        *("completed", {"a": "b"}),
        0.5,
    )
    assert answer.json["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 13,
    }


def test_a_streamed_answer_has_the_whole_sequence_of_events(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion_stream("Hel", "lo"))

    answer = ask(client, STREAM)

    events = events_in(answer.data)
    assert answer.mimetype == "text/event-stream"
    deltas = [event["type"] for event in events if event["type"].endswith(".delta")]
    assert [event["type"] for event in events if event["type"] not in deltas] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(deltas) == {"response.output_text.delta"}
    whole = accumulated(typed(events))
    assert (whole.output_text, whole.usage.total_tokens) == ("Hello", whole.usage.total_tokens)


def calling(*deltas: Mapping[str, Any], reason: str = "tool_calls") -> Reply:
    """Stream parts of calls."""
    parts = [chunk({"tool_calls": [delta]}) for delta in deltas]
    return replies.sse([*parts, chunk({}, finish_reason=reason)])


def begun(index: int, name: str) -> dict[str, Any]:
    """Begin a call."""
    return {
        "index": index,
        "id": f"call_{index}",
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }


def test_calls_that_come_in_turns_are_items_of_their_own(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    parts = [begun(0, "draw"), begun(1, "draw")]
    parts += [{"index": i % 2, "function": {"arguments": c}} for i, c in enumerate("{{}}")]
    upstream.script(calling(*parts))

    answer = ask(client, {**STREAM, "tools": [TOOL]})

    output = accumulated(typed(events_in(answer.data))).output
    assert [(item.call_id, item.name, item.arguments, item.status) for item in output] == [
        ("call_0", "draw", "{}", "completed"),
        ("call_1", "draw", "{}", "completed"),
    ]


def test_a_tool_of_a_namespace_and_a_custom_one_get_their_own_names_back(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    tools = [
        {"type": "namespace", "name": "agents", "description": "", "tools": [dict(TOOL)]},
        {"type": "custom", "name": "patch"},
    ]
    upstream.script(replies.answer_with(lambda request: _calls_all(request.json["tools"])))

    answer = ask(client, {**STREAM, "tools": tools})

    output = accumulated(typed(events_in(answer.data))).to_dict()["output"]
    kinds = [(item["type"], item["name"], item.get("namespace")) for item in output]
    assert sorted(kinds) == [
        ("custom_tool_call", "patch", None),
        ("function_call", "draw", "agents"),
    ]
    said = {item["type"]: item.get("arguments", item.get("input")) for item in output}
    assert said == {"function_call": '{"input":"x"}', "custom_tool_call": "x"}


def _calls_all(tools: Sequence[Mapping[str, Any]]) -> Reply:
    names = [tool["function"]["name"] for tool in tools]
    said = [{"index": i, "function": {"arguments": '{"input":"x"}'}} for i in range(len(names))]
    return calling(*[begun(i, name) for i, name in enumerate(names)], *said)


@each(
    ("asked", "summary", "content"),
    [
        (None, [], [{"type": "reasoning_text", "text": "Hm."}]),
        ("auto", [{"type": "summary_text", "text": "Hm."}], None),
    ],
)
def test_thoughts_are_a_summary_for_those_who_asked_for_one(
    asked: str | None,
    summary: list[Any],
    content: Any,
    client: FlaskClient,
    upstream: ScriptedUpstream,
) -> None:
    thought = chunk({"reasoning_content": "Hm."})
    upstream.script(replies.sse([thought, HELLO, chunk({}, finish_reason="stop")]))

    answer = ask(client, {**STREAM, "reasoning": {"summary": asked}})

    events = events_in(answer.data)
    item, message = accumulated(typed(events)).to_dict()["output"]
    assert (item["type"], item["summary"], item.get("content")) == ("reasoning", summary, content)
    assert message["type"] == "message"
    name = "reasoning_summary_text" if asked else "reasoning_text"
    assert f"response.{name}.delta" in [event["type"] for event in events]


@each(
    ("reason", "details"),
    [
        ("length", {"reason": "max_output_tokens"}),
        ("content_filter", {"reason": "content_filter"}),
        ("insufficient_system_resource", None),
    ],
)
def test_an_answer_that_was_cut_is_incomplete(
    reason: str, details: Any, client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.sse([HELLO, chunk({}, finish_reason=reason)]))
    streamed = events_in(ask(client, STREAM).data)[-1]
    upstream.script(replies.completion("Hel", finish_reason=reason))
    whole = ask(client).json

    assert streamed["type"] == "response.incomplete"
    for response in (streamed["response"], whole):
        assert (response["status"], response["incomplete_details"]) == ("incomplete", details)
        assert response["output"][-1]["status"] == "incomplete"
        assert "completed_at" not in response


def test_an_empty_answer_has_a_message_with_an_empty_text(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion_stream())

    response = events_in(ask(client, STREAM).data)[-1]["response"]

    [message] = response["output"]
    assert [part["text"] for part in message["content"]] == [""]


def test_a_refusal_is_a_part_of_its_own(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    refusal = chunk({"refusal": "I will not."})
    upstream.script(replies.sse([HELLO, refusal, chunk({}, finish_reason="stop")]))

    events = events_in(ask(client, STREAM).data)

    [message] = accumulated(typed(events)).to_dict()["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
    assert message["content"][1]["refusal"] == "I will not."


def test_probabilities_are_told_with_their_texts(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    head = chunk({"role": "assistant", "content": "Hi"})
    head["choices"][0]["logprobs"] = {"content": [entry]}
    upstream.script(replies.sse([head, chunk({}, finish_reason="stop")]))

    answer = ask(client, {**STREAM, "include": ["message.output_text.logprobs"]})

    events = events_in(answer.data)
    wanted = [{**entry, "bytes": list(b"Hi")}]
    [delta] = [event for event in typed(events) if event.type == "response.output_text.delta"]
    [part] = accumulated(typed(events)).to_dict()["output"][0]["content"]
    assert upstream.requests[-1].json["logprobs"] is True
    assert ([one.token for one in delta.logprobs], part["logprobs"]) == (["Hi"], wanted)


def test_tokens_that_nobody_counted_are_estimated(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion_stream("Hello there", usage=None))
    streamed = events_in(ask(client, STREAM).data)[-1]["response"]["usage"]
    upstream.script(replies.completion("Hello there", usage=None))

    whole = ask(client).json["usage"]

    assert streamed == whole
    assert (whole["input_tokens"], whole["output_tokens"]) == (5, 3)
    assert whole["total_tokens"] == 8


def test_a_stream_that_breaks_ends_with_an_error_and_a_failed_response(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.sse([HELLO], done=False))

    answer = ask(client, STREAM)

    events = events_in(answer.data)
    typed(events[:-1])
    error, last = events[-2:]
    assert [event["type"] for event in (error, last)] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert error["code"] == "upstream_truncated"
    # Another request would be paid for, too: Codex sends none for this code.
    assert last["response"]["error"]["code"] == "server_is_overloaded"
    assert last["response"]["status"] == "failed"
    assert last["response"]["id"] == events[0]["response"]["id"]


@each(
    ("reply", "status"),
    [
        (replies.api_error(400, "bad"), 400),
        (replies.api_error(404, "model_not_found"), 404),
        (replies.api_error(500), 502),
    ],
)
def test_a_stream_that_does_not_begin_is_answered_with_a_status(
    reply: Reply, status: int, client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(reply, reply, reply)

    answer = ask(client, STREAM)

    assert answer.status_code == status
    assert {"message", "type", "param", "code"} <= answer.json["error"].keys()
    upstream.clear()


def test_a_failure_of_the_service_reaches_codex_as_a_stream_that_it_does_not_repeat(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[replies.api_error(500)] * 3)

    answer = ask(client, STREAM, CODEX)

    types, error = failed(answer)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert types == ["response.created", "response.in_progress", "error", "response.failed"]
    assert error["code"] == "server_is_overloaded"


def test_a_wrong_request_of_codex_is_answered_with_its_status(client: FlaskClient) -> None:
    assert ask(client, {**STREAM, "temperature": 9}, CODEX).status_code == 400


def test_codex_without_a_stream_gets_a_status(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[replies.api_error(500)] * 3)

    assert ask(client, BODY, CODEX).status_code == 502


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "streamed"])
def test_an_equal_request_gets_the_kept_answer_without_a_call(
    body: Mapping[str, Any], app: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    client = app.test_client()
    upstream.script(replies.completion_stream("Hi") if "stream" in body else replies.completion())

    first, second = (ask(client, body, CACHED) for _ in range(2))

    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert second.data == first.data
    assert len(upstream.requests) == len(usage_rows_of(app)) == 1


def test_a_broken_stream_is_not_kept_for_a_repeat(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    key = {"Idempotency-Key": "k1"}
    upstream.script(replies.sse([HELLO], done=False), replies.completion_stream("Hi"))

    first, second = (ask(client, STREAM, key) for _ in range(2))

    assert events_in(first.data)[-1]["type"] == "response.failed"
    assert events_in(second.data)[-1]["type"] == "response.completed"


def test_an_item_can_be_referred_to_in_the_next_request(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion_stream("Four."), replies.completion("Yes."))
    [item] = events_in(ask(client, STREAM).data)[-1]["response"]["output"]
    question = {"role": "user", "content": "Sure?"}

    ask(client, {**BODY, "input": [{"type": "item_reference", "id": item["id"]}, question]})

    sent = upstream.requests[-1].json["messages"]
    assert [(one["role"], one["content"]) for one in sent][-2:] == [
        ("assistant", "Four."),
        ("user", "Sure?"),
    ]


def test_an_item_of_an_answer_that_is_not_to_be_stored_is_not_kept(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion("Four."))
    [item] = ask(client, {**BODY, "store": False}).json["output"]

    answer = ask(client, {**BODY, "input": [{"type": "item_reference", "id": item["id"]}]})

    assert answer.status_code == 404
