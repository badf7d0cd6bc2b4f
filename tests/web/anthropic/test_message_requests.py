"""What an upstream is sent for a request in Anthropic's form, and what is refused."""

import json
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.support import replies
from tests.support.documented import ApiDocument
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.anthropic.message_calls import Body, ask, body_of, sent_for
from tests.web.refusals import COUNT_TOKENS, MESSAGES, read_refusal


def user(*content: Any) -> Body:
    """Make a user's message of a text or of blocks."""
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def model(*content: Any) -> Body:
    """Make a model's message."""
    return {**user(*content), "role": "assistant"}


def text(words: str, **more: Any) -> Body:
    """Make a block of text."""
    return {"type": "text", "text": words, **more}


def result(call: str, content: Any = "done", **more: Any) -> Body:
    """Make the block of a tool's result."""
    return {"type": "tool_result", "tool_use_id": call, "content": content, **more}


def call(id_: str, name: str = "draw", **arguments: Any) -> Body:
    """Make the block of a tool's call."""
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


def called(id_: str, name: str = "draw", arguments: str = "{}") -> Body:
    """Make a call as an upstream is sent it."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


CACHE = {"cache_control": {"type": "ephemeral"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWk="}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWk="}}
BY_URL = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
LONG = "mcp__" + "x" * 90
DRAW = {"name": "draw", "description": "Draws.", "input_schema": {"type": "object"}}
DRAWS = {
    "type": "function",
    "function": {"name": "draw", "description": "Draws.", "parameters": {"type": "object"}},
}
# Messages of Anthropic's and those of the chat.
CONVERSATIONS: list[tuple[str, list[Body], list[Body]]] = [
    ("a text", [user("Hi")], [{"role": "user", "content": "Hi"}]),
    ("blocks of text", [user(text("a", **CACHE), text("b"))], [user("a\n\nb")]),
    ("an empty block", [user(text(""), text("b"))], [user("b")]),
    (
        "pictures",
        [user(text("look"), PNG, BY_URL)],
        [
            user(
                {"type": "text", "text": "look"},
                PNG_PART,
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
            )
        ],
    ),
    (
        "a document of text",
        [
            user(
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "It rains."},
                    "title": "Weather",
                    "context": "of today",
                }
            )
        ],
        [user("Weather\n\nof today\n\nIt rains.")],
    ),
    (
        "a document of blocks",
        [user({"type": "document", "source": {"type": "content", "content": [text("a"), PNG]}})],
        [user({"type": "text", "text": "a"}, PNG_PART)],
    ),
    (
        "a search result",
        [user({"type": "search_result", "title": "T", "source": "s", "content": [text("x")]})],
        [user("T\ns\n\nx")],
    ),
    (
        "turns of several messages",
        [user("a"), user("b"), model("c"), model(text("d")), user("e")],
        [user("a\n\nb"), model("cd"), user("e")],
    ),
    (
        "calls and their results",
        [
            user("go"),
            model(text("well"), call("t1", x=1), call("t2")),
            user(result("t1", "one"), result("t2", [text("two"), text("2")])),
        ],
        [
            user("go"),
            {
                "role": "assistant",
                "content": "well",
                "tool_calls": [called("t1", arguments='{"x":1}'), called("t2")],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "one"},
            {"role": "tool", "tool_call_id": "t2", "content": "two\n\n2"},
        ],
    ),
    (
        "results come first, also of another message of the turn",
        [
            user("go"),
            model(call("t1"), call("t2")),
            user(text("by the way"), result("t1", "one")),
            user(result("t2", "two")),
        ],
        [
            user("go"),
            {"role": "assistant", "content": None, "tool_calls": [called("t1"), called("t2")]},
            {"role": "tool", "tool_call_id": "t1", "content": "one"},
            {"role": "tool", "tool_call_id": "t2", "content": "two"},
            user("by the way"),
        ],
    ),
    (
        "a picture as a result",
        [user("go"), model(call("t1")), user(result("t1", [PNG]))],
        [
            user("go"),
            {"role": "assistant", "content": None, "tool_calls": [called("t1")]},
            {
                "role": "tool",
                "tool_call_id": "t1",
                "content": "The result is in the next message.",
            },
            user({"type": "text", "text": "The result of the tool call t1:"}, PNG_PART),
        ],
    ),
    (
        "results that failed, and none",
        [
            user("go"),
            model(call("t1"), call("t2"), call("t3")),
            user(
                result("t1", "no file", is_error=True),
                result("t2", "error: no", is_error=True),
                {"type": "tool_result", "tool_use_id": "t3"},
            ),
        ],
        [
            user("go"),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [called("t1"), called("t2"), called("t3")],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "Error: no file"},
            {"role": "tool", "tool_call_id": "t2", "content": "error: no"},
            {"role": "tool", "tool_call_id": "t3", "content": ""},
        ],
    ),
    (
        "the system in the middle stays in its place, and results in front of it",
        [
            user("go"),
            model(call("t1")),
            {"role": "system", "content": [text("Be quick.")]},
            user(result("t1", "one")),
        ],
        [
            user("go"),
            {"role": "assistant", "content": None, "tool_calls": [called("t1")]},
            {"role": "tool", "tool_call_id": "t1", "content": "one"},
            user("<system-reminder>\nBe quick.\n</system-reminder>"),
        ],
    ),
    (
        "the system in front is the system",
        [{"role": "system", "content": "Be brief."}, user("a")],
        [{"role": "system", "content": "Be brief."}, user("a")],
    ),
    (
        "a model that has said nothing",
        [user("a"), {"role": "assistant", "content": []}, user("b")],
        [user("a"), model(""), user("b")],
    ),
    (
        "what its servers' tools did",
        [
            user("a"),
            model(
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                {"type": "redacted_thinking", "data": "x"},
                text("b"),
            ),
            user("c"),
        ],
        [user("a"), model("b"), user("c")],
    ),
]


@each(("_name", "given", "expected"), CONVERSATIONS)
def test_a_conversation_becomes_a_chat_that_any_upstream_takes(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    _name: str,  # noqa: PT019  # it is no fixture but the name of a case
    given: list[Body],
    expected: list[Body],
) -> None:
    _, sent = sent_for(client, upstream, *given)

    assert sent["messages"] == expected


# Fields of a request of Anthropic's and those of the chat.
FIELDS: list[tuple[Body, Body]] = [
    ({}, {}),
    ({"stop_sequences": ["END"], "top_k": 5}, {"stop": ["END"], "top_k": 5}),
    ({"stop_sequences": [], "tools": [], "system": None, "temperature": None}, {}),
    ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
    ({"cache_control": {"type": "ephemeral"}}, {}),
    (
        {"tools": [{**DRAW, **CACHE, "defer_loading": True, "type": "custom"}]},
        {"tools": [DRAWS]},
    ),
    (
        {"tools": [{**DRAW, "type": None, "strict": True}], "tool_choice": {"type": "auto"}},
        {
            "tools": [{**DRAWS, "function": {**DRAWS["function"], "strict": True}}],
            "tool_choice": "auto",
        },
    ),
    (
        {
            "tools": [DRAW],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        },
        {"tools": [DRAWS], "tool_choice": "required", "parallel_tool_calls": False},
    ),
    (
        {"tools": [DRAW], "tool_choice": {"type": "tool", "name": "draw"}},
        {
            "tools": [DRAWS],
            "tool_choice": {"type": "function", "function": {"name": "draw"}},
        },
    ),
    (
        {"tools": [DRAW], "tool_choice": {"type": "none"}},
        {"tools": [DRAWS], "tool_choice": "none"},
    ),
    ({"tool_choice": {"type": "auto"}}, {}),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
    ({"thinking": {"type": "between_tools"}}, {"thinking": {"type": "adaptive"}}),
    ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
    ({"output_config": {"effort": "high"}}, {"reasoning_effort": "high"}),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
            }
        },
    ),
    ({"metadata": {"user_id": "anna"}}, {"user": "anna"}),
    ({"metadata": {"user_id": None}}, {}),
    ({"seed": 7, "repetition_penalty": 1.1}, {"seed": 7, "repetition_penalty": 1.1}),
]


@each(("fields", "expected"), FIELDS)
def test_fields_become_those_of_a_chat(
    client: FlaskClient, upstream: ScriptedUpstream, fields: Body, expected: Body
) -> None:
    answer, sent = sent_for(client, upstream, **fields)

    usual = {"model": "scripted", "max_tokens": 50, "messages": [user("Hello")]}
    assert sent == {**usual, **expected}
    assert "x-dropped-params" not in answer.headers


# What Claude Code and others send and no other model can do, as it is named.
LEFT_OUT: list[tuple[Body, str]] = [
    (
        {"context_management": {"edits": []}, "service_tier": "auto"},
        "context_management,service_tier",
    ),
    (
        {"tools": [DRAW, {"type": "web_search_20250305", "name": "web_search"}]},
        "tools.web_search_20250305",
    ),
    ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools.bash_20250124"),
    ({"tools": [{"type": ""}]}, "tools."),
    ({"n": 2, "max_completion_tokens": 1}, "max_completion_tokens,n"),
    (
        {"messages": [user("a"), model({"type": "server_tool_use"}), user("b")]},
        "messages.server_tool_use",
    ),
]


@each(("fields", "named"), LEFT_OUT)
def test_what_cannot_be_said_to_a_model_is_left_out_and_named(
    client: FlaskClient, upstream: ScriptedUpstream, fields: Body, named: str
) -> None:
    answer, sent = sent_for(client, upstream, **fields)

    assert answer.headers["x-dropped-params"] == named
    assert set(sent) <= {"model", "max_tokens", "messages", "tools"}
    assert sent.get("tools", [DRAWS]) == [DRAWS]


def test_files_and_thoughts_go_to_those_who_take_them(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    bill = {"type": "document", "source": PDF, "title": "bill.pdf"}
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "llm_api"}
    talk = [user("a"), model(thought, text("b"))]
    sent = {}
    for profile in ("openai", "deepseek"):
        client = app_of({**upstream_env, "FAST_LLM_PROFILE": profile}).test_client()
        answer = ask(client, *talk, user(bill))
        sent[profile] = (
            answer.status_code,
            upstream.requests[-1].json["messages"]
            if (answer.status_code == 200)
            else answer.json["error"]["details"]["error_code"],
        )
        _, body = sent_for(client, upstream, *talk, user("c"))
        sent[f"thoughts of {profile}"] = "reasoning_content" in body["messages"][1]

    file = {"filename": "bill.pdf", "file_data": "data:application/pdf;base64,JVBE"}
    parts = [{"type": "text", "text": "bill.pdf"}, {"type": "file", "file": file}]
    assert sent["openai"] == (200, [user("a"), model("b"), user(*parts)])
    assert sent["deepseek"] == (400, "not_supported")
    assert (sent["thoughts of openai"], sent["thoughts of deepseek"]) == (False, True)


def test_the_system_text_stands_first_without_the_line_that_changes_with_each_request(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    system = [text("x-anthropic-billing-header: cch=eb6c6;", **CACHE), text("Be nice.")]
    one = "x-anthropic-billing-header: cch=77777;\nBe nice."

    for given in (system, one, "Be nice."):
        _, sent = sent_for(client, upstream, system=given)

        assert sent["messages"] == [{"role": "system", "content": "Be nice."}, user("Hello")]


def test_a_long_name_of_a_user_is_shortened_to_the_same_each_time(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    long = json.dumps({"device_id": "d" * 64, "session_id": "s" * 36})

    names = [
        sent_for(client, upstream, metadata={"user_id": name})[1]["user"]
        for name in (long, long, f"{long}x")
    ]

    assert [len(name) for name in names] == [64, 64, 64]
    assert names[0] == names[1] != names[2]


def test_a_long_name_of_a_tool_is_shortened_and_given_back(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    def answer(request: Any) -> replies.Reply:
        name = request.json["tools"][0]["function"]["name"]
        message = {"role": "assistant", "content": None, "tool_calls": [called("t9", name)]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return replies.completion(choices=[choice])

    upstream.script(replies.answer_with(answer))
    tool = {"name": LONG, "input_schema": {}}

    answered, sent = sent_for(
        client,
        upstream,
        user("go"),
        model(call("t1", LONG)),
        user(result("t1")),
        tools=[tool],
        tool_choice={"type": "tool", "name": LONG},
    )

    name = sent["tools"][0]["function"]["name"]
    assert len(name) == 64
    assert sent["tool_choice"]["function"]["name"] == name
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == name
    assert answered.json["content"][0]["name"] == LONG


def test_what_claude_code_sends_unasked_is_left_out_where_the_model_refuses_it(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    def answer(request: Any) -> replies.Reply:
        for name in ("thinking", "reasoning_effort", "user"):
            if name in request.json:
                message = f"Unrecognized request argument supplied: {name}"
                return replies.api_error(400, message=message)
        return replies.completion("Hi")

    upstream.script(*[replies.answer_with(answer)] * 8)

    for _ in range(4):
        last = ask(
            client,
            thinking={"type": "adaptive"},
            output_config={"effort": "high"},
            metadata={"user_id": "u"},
        )

    assert last.status_code == 200
    assert set(upstream.requests[-1].json) == {"model", "max_tokens", "messages"}


# Requests that are refused: the field, and the reason.
WRONG: list[tuple[Body, str, str]] = [
    ({"max_tokens": None}, "max_tokens", "invalid_type"),
    ({"max_tokens": 0}, "max_tokens", "out_of_range"),
    ({"model": ""}, "model", "out_of_range"),
    ({"messages": []}, "messages", "out_of_range"),
    ({"messages": "Hi"}, "messages", "invalid_type"),
    ({"messages": ["Hi"]}, "messages[0]", "invalid_type"),
    ({"messages": [{"content": "a"}]}, "messages[0].role", "missing"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role", "out_of_range"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
    ({"messages": [user({"type": "video"})]}, "messages[0].content[0].type", "out_of_range"),
    ({"messages": [user({"text": "a"})]}, "messages[0].content[0].type", "missing"),
    ({"messages": [user(text(1))]}, "messages[0].content[0].text", "invalid_type"),
    (
        {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
        "messages[0].content[0].source.type",
        "out_of_range",
    ),
    (
        {"messages": [user({"type": "image", "source": {"type": "url", "url": "ftp://x"}})]},
        "messages[0].content[0].source.url",
        "invalid_url",
    ),
    (
        {"messages": [user({**PNG, "source": {**PNG["source"], "media_type": "image/png\n"}})]},
        "messages[0].content[0].source.media_type",
        "out_of_range",
    ),
    (
        {"messages": [user({"type": "document", "source": {"type": "url", "url": "https://x"}})]},
        "messages[0].content[0].source.type",
        "out_of_range",
    ),
    (
        {"messages": [user(result("t1", [{"type": "audio"}]))]},
        "messages[0].content[0].content[0].type",
        "out_of_range",
    ),
    (
        {"messages": [{"role": "system", "content": [PNG]}]},
        "messages[0].content[0].type",
        "out_of_range",
    ),
    (
        {"messages": [model({**call("t1"), "input": "{}"})]},
        "messages[0].content[0].input",
        "invalid_type",
    ),
    ({"system": 5}, "system", "invalid_type"),
    ({"system": [PNG]}, "system[0].type", "out_of_range"),
    ({"tools": [{"name": "draw"}]}, "tools[0].input_schema", "missing"),
    ({"tools": [DRAW], "tool_choice": "auto"}, "tool_choice", "invalid_type"),
    ({"tools": [DRAW], "tool_choice": {"type": "all"}}, "tool_choice.type", "out_of_range"),
    (
        {"tools": [DRAW], "tool_choice": {"type": "tool", "name": "paint"}},
        "tool_choice.name",
        "not_supported",
    ),
    (
        {
            "tools": [{"type": "web_search_20250305", "name": "web_search"}],
            "tool_choice": {"type": "tool", "name": "web_search"},
        },
        "tool_choice.name",
        "not_supported",
    ),
    ({"tool_choice": {"type": "any"}}, "tool_choice.type", "not_supported"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", "missing"),
    ({"thinking": {"type": "much"}}, "thinking.type", "out_of_range"),
    ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type", "out_of_range"),
    ({"output_config": {"effort": "huge"}}, "output_config.effort", "out_of_range"),
    ({"stop_sequences": [""]}, "stop_sequences[0]", "out_of_range"),
    ({"metadata": {"user_id": 5}}, "metadata.user_id", "invalid_type"),
    ({"temperature": 3}, "temperature", "out_of_range"),
    ({"stream": "yes"}, "stream", "invalid_type"),
    ({"api_base": "http://x"}, "api_base", "forbidden_parameter"),
]


@each(("fields", "field", "reason"), WRONG)
def test_a_wrong_field_is_named(
    client: FlaskClient, upstream: ScriptedUpstream, fields: Body, field: str, reason: str
) -> None:
    answer = client.post(MESSAGES, json={**body_of(), **fields})

    refusal = read_refusal(MESSAGES, answer.status_code, answer.headers, answer.data)
    assert (refusal.status, refusal.reason) == (400, reason)
    assert refusal.fields[0] == field
    assert refusal.message.startswith(f"{field}: ")
    assert upstream.requests == []


def test_what_the_vendor_does_not_take_has_the_callers_name(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    client = app_of({**upstream_env, "FAST_LLM_PROFILE": "mistral"}).test_client()
    config = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    said = {"message": "The schema is invalid.", "param": "response_format", "code": "invalid"}
    upstream.script(replies.json_reply(400, {"error": said}))

    refused = ask(client, output_config=config)
    dropped = ask(client, metadata={"user_id": "u"}, tools=[{"type": "bash_20250124"}])

    [error] = refused.json["error"]["details"]["errors"]
    assert error["field"] == "output_config.format"
    assert dropped.headers["x-dropped-params"] == "tools.bash_20250124,metadata.user_id"


def test_names_inside_of_arguments_and_schemas_are_the_callers_own(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    schema = {"type": "object", "properties": {"headers": {"type": "object"}}}

    _, sent = sent_for(
        client,
        upstream,
        user("go"),
        model(call("t1", headers={"api_key": "x"})),
        user(result("t1")),
        tools=[{**DRAW, "input_schema": schema, "input_examples": [{"headers": {}}]}],
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )

    assert sent["tools"][0]["function"]["parameters"] == schema
    assert sent["response_format"]["json_schema"]["schema"] == schema
    arguments = sent["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"headers": {"api_key": "x"}}


@pytest.fixture
def schema(app: Flask) -> jsonschema_rs.Draft202012Validator:
    """Return what the API document says of a request."""
    document = app.test_client().get("/openapi.json").get_json()
    operation = document["paths"][MESSAGES]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    whole = {**body, "components": ApiDocument(document).document["components"]}
    return jsonschema_rs.Draft202012Validator(whole)


# What only words can say in the document.
IN_WORDS = ("not_supported", "forbidden_parameter")


def test_the_document_allows_what_the_route_takes_and_nothing_else(
    schema: jsonschema_rs.Draft202012Validator,
) -> None:
    taken = [body_of(*given) for _, given, _ in CONVERSATIONS]
    taken += [{**body_of(), **fields} for fields, _ in [*FIELDS, *LEFT_OUT]]
    refused = [{**body_of(), **fields} for fields, _, why in WRONG if why not in IN_WORDS]

    assert [body for body in taken if not schema.is_valid(body)] == []
    assert [body for body in refused if schema.is_valid(body)] == []


def test_tokens_are_counted_without_a_call(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    short, long = (
        {"model": "scripted", "system": "x" * length, "messages": [user("Hello")], "tools": [DRAW]}
        for length in (40, 4_000)
    )

    few, many = (client.post(COUNT_TOKENS, json=body) for body in (short, long))

    assert (few.status_code, set(few.json)) == (200, {"input_tokens"})
    assert many.json["input_tokens"] - few.json["input_tokens"] == 990
    assert upstream.requests == []


def test_tokens_are_counted_for_the_optimizer_too(client: FlaskClient) -> None:
    body = {"model": "optimize/image", "messages": [user("A cat")]}

    assert client.post(COUNT_TOKENS, json=body).json == {"input_tokens": 6}
    assert client.post(COUNT_TOKENS, json={**body, "model": "optimize/x"}).status_code == 404


def test_calls_of_tools_count_among_the_tokens(client: FlaskClient) -> None:
    plain, calling = (
        client.post(COUNT_TOKENS, json={"model": "scripted", "messages": [user("a"), said]})
        for said in (model("b"), model(call("t1", content="x" * 400)))
    )

    assert calling.json["input_tokens"] - plain.json["input_tokens"] >= 100
