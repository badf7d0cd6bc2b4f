"""What clients send in each of their turns reaches the model whole, as a chat that it knows."""

from typing import Any

from flask import Flask

from tests.conftest import AppOf
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.openai.responses.client_bodies import (
    CLIENTS,
    CODEX,
    KEPT,
    PICTURE_AND_FILE,
    STRUCTURED,
)
from tests.web.openai.responses.requests import RESPONSES, USER, body, chat_call, sent
from tests.web.openai_calls import post_body

ARGUMENTS = '{"city":"Oslo"}'
ANONYMOUS = "127.0.0.1"
# The same conversation as every client means it.
WHOLE = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Oslo?"},
    {
        "role": "assistant",
        "content": "I look it up.",
        "tool_calls": [chat_call("call_1", "weather", ARGUMENTS)],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "snow"},
    {"role": "assistant", "content": "It snows."},
    {"role": "user", "content": "And now?"},
]


@each("client", CLIENTS)
def test_every_turn_of_a_client_reaches_the_model(
    module_app: Flask, service_upstream: ScriptedUpstream, client: str
) -> None:
    module_app.extensions["llm_api"].items.keep(ANONYMOUS, KEPT)
    fields, items = CLIENTS[client]
    is_user = [item.get("role") == "user" for item in items]
    ends = [is_user.index(True) + 1, len(items) - 2, len(items)]
    stream = replies.completion_stream() if fields.get("stream") else replies.completion()
    service_upstream.script(*[stream] * 3)

    turns = [
        sent(module_app.test_client(), service_upstream, items[:end], **fields) for end in ends
    ]

    assert [turn["messages"] for turn in turns] == [WHOLE[:2], WHOLE[:4], WHOLE]
    for turn in turns:
        assert [tool["function"]["name"] for tool in turn["tools"]] == ["weather"]
        assert "include" not in turn
        assert "reasoning_effort" not in turn


@each("client", STRUCTURED)
def test_the_form_of_an_answer_reaches_the_model(
    module_app: Flask, service_upstream: ScriptedUpstream, client: str
) -> None:
    fields = STRUCTURED[client]
    form = fields["text"]["format"]

    chat = sent(module_app.test_client(), service_upstream, [USER], **fields)

    wanted = {name: form[name] for name in ("name", "schema", "strict")}
    assert chat["response_format"] == {"type": "json_schema", "json_schema": wanted}
    assert "tools" not in chat


def test_all_that_codex_sends_reaches_the_model_but_what_only_openai_has(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.completion_stream())

    answer = post_body(module_app.test_client(), RESPONSES, {"model": "scripted", **CODEX})

    assert answer.status_code == 200
    assert answer.headers["x-dropped-params"] == "tools.web_search,client_metadata"
    chat: Any = service_upstream.requests[-1].json
    roles = ["system", "user", "user", "assistant", "tool", "tool", "user"]
    assert [message["role"] for message in chat["messages"]] == roles
    system, *_, last = chat["messages"]
    assert system["content"] == "You write code.\n\nSkills: none.\n\nYou may write files."
    assert [part["type"] for part in last["content"]] == ["text", "image_url"]
    names = [tool["function"]["name"] for tool in chat["tools"]]
    assert names[:3] == ["exec_command", "view_image", "apply_patch"]
    assert names[3] == "multi_agent_v1__spawn_agent"
    assert len(names) == 8
    calls = [call["function"]["name"] for call in chat["messages"][3]["tool_calls"]]
    assert calls == ["view_image", "multi_agent_v1__spawn_agent"]
    assert (chat["tool_choice"], chat["parallel_tool_calls"]) == ("auto", True)


def test_pictures_and_files_reach_a_model_of_a_vendor_that_takes_them(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    client = app_of(upstream_env | {"FAST_LLM_PROFILE": "openrouter"}).test_client()

    chat = sent(client, upstream, [PICTURE_AND_FILE], store=False)

    assert [part["type"] for part in chat["messages"][0]["content"]] == [
        "text",
        "image_url",
        "file",
    ]
    assert chat["messages"][0]["content"][2]["file"] == {
        "filename": "a.pdf",
        "file_data": "data:application/pdf;base64,JVBERg==",
    }


def test_what_a_model_thought_reaches_it_where_its_vendor_takes_that(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    items = CLIENTS["openai-agents"][1][:5]
    client = app_of(upstream_env | {"FAST_LLM_PROFILE": "deepseek"}).test_client()

    chat = sent(client, upstream, items)
    post_body(client, "/v1/chat/completions", {"model": "scripted", "messages": chat["messages"]})

    assert chat["messages"][1] == {**WHOLE[2], "reasoning_content": "A tool knows."}
    assert upstream.requests[-1].json["messages"] == chat["messages"]


def test_what_a_caller_says_in_a_chat_is_not_touched(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    said = [USER, {"role": "assistant", "content": "x", "reasoning_content": "y"}, USER]

    post_body(
        module_app.test_client(), "/v1/chat/completions", {"model": "scripted", "messages": said}
    )

    assert service_upstream.requests[-1].json["messages"] == said


def test_what_only_openai_has_is_named_also_where_unknown_fields_are_refused(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of(upstream_env | {"REFUSE_UNKNOWN_PARAMETERS": "true"}).test_client()
    items = [{"type": "web_search_call", "id": "ws_1", "status": "completed"}, USER]

    answer = post_body(client, RESPONSES, body(items, truncation="auto", seed=1, top_k=None))
    refused = post_body(client, RESPONSES, body(items, colour="red"))

    assert refused.json["error"]["param"] == "colour"
    assert answer.headers["x-dropped-params"] == "input.web_search_call,truncation"
