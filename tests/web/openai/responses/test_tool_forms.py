"""Tools become functions of a chat, by names that every upstream takes, and calls come back."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.web.openai.responses.input.tool_names import MAX_NAME, ToolName, ToolNames
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.openai.responses.requests import RESPONSES, body, chat_call, sent
from tests.web.openai_calls import post_body

NO_ARGUMENTS = {"type": "object", "properties": {}}
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}}
LOOK = {"type": "function", "name": "look", "parameters": PLACE, "strict": True}
SHOUT = {"type": "function", "name": "shout", "description": "Loud.", "parameters": None}
PATCH = {"type": "custom", "name": "patch", "description": "Changes."}
SPACE = {
    "type": "namespace",
    "name": "crm",
    "description": "Customers.",
    "tools": [
        {"type": "function", "name": "find", "parameters": PLACE},
        {"type": "custom", "name": "note"},
    ],
}
SEARCH = {"type": "web_search", "search_context_size": "low"}


def function(name: str, parameters: Any = PLACE, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def chosen(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def text_alone(name: str, description: str) -> dict[str, Any]:
    told = {"type": "string", "description": "The whole input of the tool."}
    parameters = {
        "type": "object",
        "properties": {"input": told},
        "required": ["input"],
        "additionalProperties": False,
    }
    return function(name, parameters, description=description)


@pytest.fixture
def client(module_app: Flask) -> FlaskClient:
    """Return a client."""
    return module_app.test_client()


@each(
    ("tools", "expected"),
    [
        ([LOOK], [function("look", strict=True)]),
        ([LOOK | {"strict": False}], [function("look")]),
        ([SHOUT], [function("shout", NO_ARGUMENTS, description="Loud.")]),
        (
            [{"type": "function", "function": {"name": "look", "parameters": PLACE}}],
            [function("look")],
        ),
        ([LOOK, LOOK], [function("look", strict=True)]),
        ([PATCH], [text_alone("patch", "Changes.")]),
        (
            [PATCH | {"format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}}],
            [text_alone("patch", "Changes.\n\n`input` must fit this grammar (lark):\nstart: x")],
        ),
        ([PATCH | {"format": {"type": "text"}}], [text_alone("patch", "Changes.")]),
        (
            [SPACE, LOOK],
            [
                function("look", strict=True),
                function("crm__find", description="Customers."),
                text_alone("crm__note", "Customers."),
            ],
        ),
        ([SEARCH, LOOK], [function("look", strict=True)]),
        ([SEARCH], None),
        ([], None),
    ],
)
def test_tools_become_functions(
    module_app: Flask, service_upstream: ScriptedUpstream, tools: list[Any], expected: Any
) -> None:
    chat = sent(module_app.test_client(), service_upstream, "Hi", tools=tools)

    assert chat.get("tools") == expected


@each(
    ("choice", "expected", "names"),
    [
        ("auto", "auto", ["look", "patch", "crm__find", "crm__note"]),
        ("none", "none", ["look", "patch", "crm__find", "crm__note"]),
        ("required", "required", ["look", "patch", "crm__find", "crm__note"]),
        ({"type": "function", "name": "look"}, chosen("look"), None),
        ({"type": "function", "function": {"name": "look"}}, chosen("look"), None),
        ({"type": "custom", "name": "patch"}, chosen("patch"), None),
        ({"type": "function", "name": "find", "namespace": "crm"}, chosen("crm__find"), None),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "look"}],
            },
            "auto",
            ["look"],
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "namespace", "name": "crm"}, SEARCH],
            },
            "required",
            ["crm__find", "crm__note"],
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, None, []),
    ],
)
def test_what_is_to_be_called_is_said_in_the_words_of_a_chat(
    module_app: Flask, service_upstream: ScriptedUpstream, choice: Any, expected: Any, names: Any
) -> None:
    tools = [LOOK, PATCH, SPACE, SEARCH]

    chat = sent(module_app.test_client(), service_upstream, "Hi", tools=tools, tool_choice=choice)

    told = [tool["function"]["name"] for tool in chat.get("tools", [])]
    assert chat.get("tool_choice") == expected
    assert names is None or told == names


@each(
    ("fields", "field", "reason"),
    [
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [5]}, "tools[0]", "invalid_type"),
        ({"tools": [LOOK, {"name": "x"}]}, "tools[1]", "invalid_type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "invalid_type"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name",
            "invalid_type",
        ),
        ({"tools": [LOOK | {"parameters": []}]}, "tools[0].parameters", "invalid_type"),
        ({"tools": [LOOK | {"strict": 1}]}, "tools[0].strict", "invalid_type"),
        ({"tools": [PATCH | {"description": {}}]}, "tools[0].description", "invalid_type"),
        ({"tools": [SPACE | {"tools": None}]}, "tools[0].tools", "invalid_type"),
        ({"tools": [SPACE | {"tools": [SPACE]}]}, "tools[0].tools", "out_of_range"),
        ({"tools": [LOOK] * 513}, "tools", "out_of_range"),
        ({"tools": [SPACE | {"tools": [LOOK] * 257}]}, "tools[0].tools", "invalid_type"),
        (
            {"input": [{"type": "additional_tools", "tools": [LOOK] * 512}] * 5},
            "tools",
            "out_of_range",
        ),
        ({"tool_choice": "any"}, "tool_choice", "out_of_range"),
        ({"tool_choice": 5}, "tool_choice", "invalid_type"),
        ({"tool_choice": {}}, "tool_choice", "invalid_type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice", "invalid_type"),
        ({"tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice", "invalid_type"),
        ({"tool_choice": {"type": "function", "name": "look"}}, "tool_choice", "tool_not_found"),
        (
            {"tools": [SPACE], "tool_choice": {"type": "function", "name": "find"}},
            "tool_choice",
            "tool_not_found",
        ),
        # what a chat cannot do
        ({"tools": [SEARCH], "tool_choice": "required"}, "tool_choice", "not_supported"),
        (
            {"tools": [SEARCH, LOOK], "tool_choice": {"type": "web_search_preview"}},
            "tool_choice",
            "not_supported",
        ),
        (
            {
                "tools": [LOOK],
                "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [SEARCH]},
            },
            "tool_choice",
            "not_supported",
        ),
    ],
)
def test_a_tool_or_a_choice_that_is_none_is_refused(
    refuse: Refuse, fields: dict[str, Any], field: str, reason: str
) -> None:
    refusal = refuse(RESPONSES, body() | fields)

    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == (field,)


def test_calls_come_back_as_of_the_tools_that_the_client_has(
    client: FlaskClient, service_upstream: ScriptedUpstream
) -> None:
    calls = [
        chat_call("1", "look", '{"place":"x"}'),
        chat_call("2", "patch", '{"input":"a\\nb"}'),
        chat_call("3", "crm__find"),
        chat_call("4", "crm__note", "no JSON"),
        chat_call("5", "made_up"),
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    service_upstream.script(replies.json_reply(200, {"choices": [choice]}))

    answer = post_body(client, RESPONSES, body(tools=[LOOK, PATCH, SPACE]))

    given = [
        [item.get(name) for name in ("type", "namespace", "name", "arguments", "input")]
        for item in answer.json["output"]
    ]
    assert given == [
        ["function_call", None, "look", '{"place":"x"}', None],
        ["custom_tool_call", None, "patch", None, "a\nb"],
        ["function_call", "crm", "find", "{}", None],
        ["custom_tool_call", "crm", "note", None, "no JSON"],
        ["function_call", None, "made_up", "{}", None],
    ]


def test_every_name_is_one_that_upstreams_take_and_no_other_tool_has() -> None:
    spaces = [None, "crm", "a" * 70, "mcp.server/1", "é", ""]
    names = ["find", "crm__find", "a" * 64, "a" * 65, "x y", "x_y", "ü", "", "crm.find"]
    tools = [ToolName("function", name, space) for space in spaces for name in names]

    named = ToolNames.of(tools)

    plain = [named.plain(tool.name, tool.namespace) for tool in tools]
    assert len(set(plain)) == len(tools)
    assert [name for name in plain if not 1 <= len(name) <= MAX_NAME] == []
    assert [
        name for name in plain if not name.replace("-", "_").isidentifier() and not name.isascii()
    ] == []
    assert [named.original(name) for name in plain] == tools


def test_a_name_stays_the_same_when_other_tools_come_and_go() -> None:
    tool = ToolName("function", "a long name, which has signs in it", "and a namespace")

    alone = ToolNames.of([tool]).plain(tool.name, tool.namespace)
    later = ToolNames.of([ToolName("custom", "x"), tool]).plain(tool.name, tool.namespace)

    assert alone == later == ToolNames().plain(tool.name, tool.namespace)
