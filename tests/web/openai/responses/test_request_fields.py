"""Fields of a request: which a chat is sent, what the answer repeats, and what is refused."""

from typing import Any

from flask import Flask

from tests.conftest import AppOf
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.openai.responses.requests import RESPONSES, USER, body, sent
from tests.web.openai_calls import post_body

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
NAMED = {"type": "json_schema", "name": "a", "schema": SCHEMA}
TOOL = {"type": "function", "name": "look", "parameters": SCHEMA, "strict": True}


@each(
    ("fields", "expected"),
    [
        (
            {"temperature": 0.5, "top_p": 0.9, "user": "u"},
            {"temperature": 0.5, "top_p": 0.9, "user": "u"},
        ),
        ({"max_output_tokens": 40}, {"max_tokens": 40}),
        (
            {"service_tier": "flex", "prompt_cache_key": "k"},
            {"service_tier": "flex", "prompt_cache_key": "k"},
        ),
        ({"safety_identifier": "s"}, {"safety_identifier": "s"}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"reasoning": {"effort": None, "summary": "auto"}}, {}),
        ({"reasoning": {}}, {}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"text": {"format": None, "verbosity": "low"}}, {"verbosity": "low"}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {"text": {"format": {**NAMED, "strict": True, "description": None}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": SCHEMA, "strict": True},
                }
            },
        ),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        (
            {"include": ["message.output_text.logprobs"], "top_logprobs": 3},
            {"logprobs": True, "top_logprobs": 3},
        ),
        ({"include": ["reasoning.encrypted_content"], "top_logprobs": 0}, {}),
        (
            {"store": True, "metadata": {"a": "b"}, "truncation": "disabled", "max_tool_calls": 3},
            {},
        ),
        ({"parallel_tool_calls": False, "tool_choice": "auto"}, {}),
        (
            {
                "background": False,
                "previous_response_id": None,
                "conversation": None,
                "prompt": None,
            },
            {},
        ),
        ({"client_metadata": {"a": "b"}, "context_management": [{"type": "compaction"}]}, {}),
        # of vendors, and of chats
        ({"seed": 5, "top_k": 7, "stop": ["x"]}, {"seed": 5, "top_k": 7, "stop": ["x"]}),
        (
            {
                "messages": [USER],
                "n": 3,
                "response_format": {"type": "json_object"},
                "max_tokens": 5,
            },
            {},
        ),
        (
            dict.fromkeys(["instructions", "tools", "tool_choice", "text", "reasoning", "include"]),
            {},
        ),
        (dict.fromkeys(["stream", "stream_options", "max_output_tokens", "store", "metadata"]), {}),
    ],
)
def test_a_chat_is_sent_what_it_has_a_word_for(
    module_app: Flask,
    service_upstream: ScriptedUpstream,
    fields: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    chat = sent(module_app.test_client(), service_upstream, "Hi", **fields)

    assert chat == {"model": "scripted", "messages": [USER], **expected}


@each(
    ("fields", "field", "reason"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "not_supported"),
        ({"conversation": "conv_1"}, "conversation", "not_supported"),
        ({"conversation": {"id": "conv_1"}}, "conversation", "not_supported"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "not_supported"),
        ({"background": True}, "background", "not_supported"),
        ({"background": 0}, "background", "not_supported"),
        ({"instructions": 5}, "instructions", "invalid_type"),
        ({"temperature": 3}, "temperature", "out_of_range"),
        ({"top_p": 0}, "top_p", "out_of_range"),
        ({"max_output_tokens": 0}, "max_output_tokens", "out_of_range"),
        ({"top_logprobs": -1}, "top_logprobs", "out_of_range"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        (
            {"stream_options": {"include_obfuscation": 1}},
            "stream_options.include_obfuscation",
            "invalid_type",
        ),
        ({"store": 1}, "store", "invalid_type"),
        ({"truncation": "middle"}, "truncation", "out_of_range"),
        ({"include": "all"}, "include", "invalid_type"),
        ({"include": [1]}, "include[0]", "invalid_type"),
        ({"metadata": {"a": 1}}, "metadata", "out_of_range"),
        ({"text": "x"}, "text", "invalid"),
        ({"text": {"format": {}}}, "text.format.type", "missing"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "out_of_range"),
        (
            {"text": {"format": {"type": "json_schema", "name": "a"}}},
            "text.format.schema",
            "missing",
        ),
        ({"text": {"format": {**NAMED, "schema": []}}}, "text.format.schema", "invalid_type"),
        ({"text": {"verbosity": 5}}, "text.verbosity", "invalid_type"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort", "invalid_type"),
        ({"reasoning": {"effort": "a\nb"}}, "reasoning.effort", "out_of_range"),
    ],
)
def test_a_field_that_is_wrong_is_refused_by_its_name(
    refuse: Refuse, fields: dict[str, Any], field: str, reason: str
) -> None:
    refusal = refuse(RESPONSES, body(**fields))

    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == (field,)


def test_the_model_and_the_input_are_required(refuse: Refuse) -> None:
    refusal = refuse(RESPONSES, {})

    assert refusal.fields == ("model", "input")


def test_an_answer_repeats_what_was_asked_for(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    fields = {
        "instructions": "Be brief.",
        "max_output_tokens": 40,
        "metadata": {"job": "1"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "temperature": 0.5,
        "text": {"format": NAMED, "verbosity": "low"},
        "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "look"},
        "user": "u",
    }

    answer = post_body(
        module_app.test_client(),
        RESPONSES,
        body(store=True, truncation="auto", **{**fields, "tools": [TOOL, {"type": "web_search"}]}),
    )

    repeated = answer.json
    assert {name: repeated[name] for name in fields} == fields
    assert (repeated["store"], repeated["truncation"], repeated["background"]) == (
        False,
        "disabled",
        False,
    )
    assert service_upstream.requests


def test_a_question_that_says_nothing_else_gets_what_that_means(module_app: Flask) -> None:
    client = module_app.test_client()

    repeated = post_body(client, RESPONSES, body()).json

    assert repeated["tools"] == []
    assert repeated["tool_choice"] == "auto"
    assert repeated["parallel_tool_calls"] is True
    assert repeated["metadata"] == {}
    assert repeated["text"] == {"format": {"type": "text"}}
    names = ("instructions", "previous_response_id", "max_output_tokens", "temperature", "top_p")
    assert [repeated[name] for name in names] == [None] * 5


def test_fields_of_chats_and_of_nobody_are_named(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    answer = post_body(
        module_app.test_client(), RESPONSES, body(n=3, response_format={}, colour="red")
    )

    assert answer.headers["x-dropped-params"] == "n,response_format,colour"
    assert "colour" not in service_upstream.requests[-1].json


OPERATORS = ("api_base", "headers", "api_key")
OWN = {"type": "object", "properties": {name: {"type": "string"} for name in OPERATORS}}
OWN_TOOL = {"type": "function", "name": "fetch", "parameters": OWN}


@each(
    "fields",
    [
        {"tools": [OWN_TOOL]},
        {"tools": [{"type": "namespace", "name": "n", "tools": [OWN_TOOL]}]},
        {"input": [USER, {"type": "additional_tools", "tools": [OWN_TOOL]}]},
        {"text": {"format": {"type": "json_schema", "name": "a", "schema": OWN}}},
        {"metadata": dict.fromkeys(OPERATORS, "x")},
        {"client_metadata": dict.fromkeys(OPERATORS, "x")},
    ],
)
def test_what_a_caller_names_may_have_names_of_the_operators(
    module_app: Flask, fields: dict[str, Any]
) -> None:
    answer = post_body(module_app.test_client(), RESPONSES, body() | fields)

    assert answer.status_code == 200, answer.text


@each(
    ("fields", "field"),
    [
        ({"headers": {}}, "headers"),
        ({"tools": [OWN_TOOL | {"headers": {}}]}, "tools[0].headers"),
        ({"text": {"api_key": "x"}}, "text.api_key"),
        ({"text": {"format": {"type": "text", "api_key": "x"}}}, "text.format.api_key"),
        ({"input": [USER | {"api_base": "x"}]}, "input[0].api_base"),
    ],
)
def test_upstream_and_key_are_not_the_callers_to_choose(
    refuse: Refuse, fields: dict[str, Any], field: str
) -> None:
    refusal = refuse(RESPONSES, body() | fields)

    assert refusal.verdict == (400, "VALIDATION_ERROR", "forbidden_parameter", False)
    assert refusal.fields == (field,)


def test_a_schema_may_be_as_deep_as_those_of_chats(module_app: Flask) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(24):
        nested = {"type": "object", "properties": {"inner": schema}}
        schema = {"anyOf": [nested, {"type": "null"}]}
    form = {"type": "json_schema", "name": "a", "schema": schema}

    answer = post_body(module_app.test_client(), RESPONSES, body(text={"format": form}))

    assert answer.status_code == 200, answer.text


def test_what_the_upstream_refuses_or_leaves_out_has_the_callers_names(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    inside = {"PASS_PICTURE_ADDRESSES": "false", "FAST_LLM_PROFILE": "deepseek"}
    client = app_of(upstream_env | inside).test_client()
    image = {"type": "input_image", "image_url": "https://example.com/a.png"}
    too_long = replies.api_error(400, "context_length_exceeded", "too long")
    upstream.script(too_long, replies.completion())
    ways = [
        body([USER | {"content": [image]}]),
        body(),
        body(text={"verbosity": "low"}, include=["message.output_text.logprobs"]),
    ]

    found = [post_body(client, RESPONSES, way) for way in ways]

    errors = [answer.json["error"] for answer in found[:2]]
    assert [error["param"] for error in errors] == ["input", "input"]
    assert [error["message"].partition(":")[0] for error in errors] == ["input", "input"]
    assert found[2].headers["x-dropped-params"] == "text.verbosity"
