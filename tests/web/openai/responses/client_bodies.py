"""What clients send to `POST /v1/responses`: the fields of each as it was seen to send them.

Seen were openai-agents 0.24.0 (Python) and 0.20.0 (Node), pydantic-ai-slim 2.68.0, langchain-openai
1.7.4, agno 3.1.10, ai 7.0.173 with @ai-sdk/openai 4.0.118, each in a first turn, a turn with the
output of a tool, and a turn after the answer; and Codex CLI 0.171.0.
"""

from collections.abc import Mapping
from typing import Any

_ARGUMENTS = '{"city":"Oslo"}'
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"title": "City", "type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_TOOL = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": _SCHEMA,
    "strict": True,
}
_ZOD_TOOL = _TOOL | {
    "parameters": {"$schema": "http://json-schema.org/draft-07/schema#", **_SCHEMA}
}
_LOOSE_TOOL = {name: value for name, value in _TOOL.items() if name != "strict"}
_TEXT = {"type": "output_text", "text": "I look it up.", "annotations": [], "logprobs": []}
_THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "A tool knows."}],
    "status": "completed",
}
_SAID = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [_TEXT],
}
_CALL = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "arguments": _ARGUMENTS,
    "status": "completed",
}
_PLAIN_CALL = {name: value for name, value in _CALL.items() if name not in ("id", "status")}
_OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "snow"}
_SNOW = _SAID | {"id": "msg_2", "content": [_TEXT | {"text": "It snows."}]}
_MESSAGE = {"type": "message"}


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _user_parts(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


# Items of a whole conversation, of which each turn sends the first ones.
_AGENTS = [_user("Oslo?"), _THOUGHT, _SAID, _CALL, _OUTPUT, _SNOW, _user("And now?")]
_PYDANTIC = [
    _user("Oslo?"),
    {"role": "assistant", "content": "<think>\nA tool knows.\n</think>"},
    {"role": "assistant", "content": "I look it up."},
    _PLAIN_CALL,
    _OUTPUT,
    {"role": "assistant", "content": "It snows."},
    _user("And now?"),
]
_LANGCHAIN = [
    {"role": "system", "content": "Be brief."} | _MESSAGE,
    _user("Oslo?") | _MESSAGE,
    _THOUGHT,
    {name: value for name, value in _SAID.items() if name != "status"},
    _CALL,
    _OUTPUT,
    {name: value for name, value in _SNOW.items() if name != "status"},
    _user("And now?") | _MESSAGE,
]
_AI_SDK = [
    {"role": "system", "content": "Be brief."},
    _user_parts("Oslo?"),
    {"type": "item_reference", "id": "rs_1"},
    {"type": "item_reference", "id": "msg_1"},
    _PLAIN_CALL,
    _OUTPUT,
    {"type": "item_reference", "id": "msg_2"},
    _user_parts("And now?"),
]
# What the answers were that are referred to.
KEPT = [_THOUGHT, _SAID, _SNOW]

# Of each client: what it sends with every turn, the items, and the place where its turns begin.
CLIENTS: Mapping[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "openai-agents": ({"instructions": "Be brief.", "include": [], "tools": [_TOOL]}, _AGENTS),
    "openai-agents-js": (
        {"instructions": "Be brief.", "include": [], "tools": [_ZOD_TOOL], "stream": True},
        _AGENTS,
    ),
    "pydantic-ai": (
        {
            "instructions": "Be brief.",
            "stream": False,
            "tool_choice": "auto",
            "tools": [_TOOL | {"description": None}],
        },
        _PYDANTIC,
    ),
    "langchain": ({"stream": False, "tools": [_LOOSE_TOOL]}, _LANGCHAIN),
    "ai-sdk": ({"tools": [_ZOD_TOOL], "tool_choice": "auto"}, _AI_SDK),
    "agno": (
        {"reasoning": {}, "tools": [_LOOSE_TOOL]},
        [{"role": "developer", "content": "Be brief."}, *_AGENTS],
    ),
}

STRUCTURED: Mapping[str, dict[str, Any]] = {
    "openai-agents": {
        "include": [],
        "tools": [],
        "text": {
            "format": {
                "type": "json_schema",
                "name": "final_output",
                "schema": _SCHEMA,
                "strict": True,
            }
        },
    },
    "ai-sdk": {
        "text": {
            "format": {"type": "json_schema", "strict": True, "name": "response", "schema": _SCHEMA}
        }
    },
    "langchain": {
        "stream": False,
        "text": {
            "format": {"type": "json_schema", "strict": True, "name": "City", "schema": _SCHEMA}
        },
    },
}

PICTURE_AND_FILE: dict[str, Any] = {
    "role": "user",
    "content": [
        {"type": "input_text", "text": "See:"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,JVBERg==",
        },
    ],
}


def _codex_message(role: str, *texts: str) -> dict[str, Any]:
    parts = [{"type": "input_text", "text": text} for text in texts]
    return {"type": "message", "id": "msg_c", "role": role, "content": parts}


_AGENT_TOOLS = ("spawn_agent", "send_input", "resume_agent", "wait_agent", "close_agent")
CODEX: dict[str, Any] = {
    "stream": True,
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "01234567-89ab",
    "client_metadata": {"x-codex-installation-id": "0123"},
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "input": [
        _codex_message("developer", "You write code."),
        _codex_message("developer", "Skills: none.", "You may write files."),
        _codex_message("user", "<environment_context>Linux</environment_context>"),
        _codex_message("user", "Look and start one."),
        _CALL | {"name": "view_image"},
        _CALL | {"call_id": "call_2", "name": "spawn_agent", "namespace": "multi_agent_v1"},
        _OUTPUT
        | {
            "id": "fco_1",
            "output": [{"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}],
        },
        _OUTPUT | {"call_id": "call_2", "output": "started"},
    ],
    "tools": [
        _TOOL | {"name": "exec_command", "strict": False},
        _TOOL | {"name": "view_image", "strict": False},
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Changes files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
        },
        {
            "type": "namespace",
            "name": "multi_agent_v1",
            "description": "Other agents.",
            "tools": [_TOOL | {"name": name, "strict": False} for name in _AGENT_TOOLS],
        },
        {"type": "web_search", "external_web_access": False},
    ],
}
