"""Turns tools of Anthropic's into functions of chat requests, and their names back."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_api.errors import InvalidRequest
from llm_api.web.anthropic.block_shapes import CUSTOM

# Of OpenAI's functions; names of tools may have twice as many.
_MAX_NAME = 64
_DIGEST = 8


@dataclass(frozen=True, slots=True)
class ToolForms:
    """The tools of a request as fields of a chat request.

    `left_out` are the types of those that Anthropic's servers would run, or that only its models
    know. `names` are the callers' own by those that were shortened.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def tool_forms(tools: Sequence[Mapping[str, Any]], choice: Mapping[str, Any] | None) -> ToolForms:
    """Return valid tools, and which of them the model has to call, for a chat request.

    Raises InvalidRequest for a `choice` that insists on a tool that is not there.
    """
    custom = [tool for tool in tools if tool.get("type") in {None, CUSTOM}]
    others = dict.fromkeys(tool["type"] for tool in tools if tool.get("type") not in {None, CUSTOM})
    fields: dict[str, Any] = {}
    if custom:
        fields["tools"] = [_function(tool) for tool in custom]
    names = {tool["name"] for tool in custom}
    if choice is not None:
        _check_choice(choice, names)
        fields |= _chosen(choice) if custom else {}
    shortened = {short_name(name): name for name in names if len(name) > _MAX_NAME}
    return ToolForms(fields, tuple(others), shortened)


def short_name(name: str) -> str:
    """Return the name of a tool as a function may have it, the same each time."""
    if len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _MAX_NAME - _DIGEST - 1]}_{digest}"


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": short_name(tool["name"]), "parameters": tool["input_schema"]}
    more = {name: tool[name] for name in ("description", "strict") if tool.get(name)}
    return {"type": "function", "function": {**function, **more}}


def _check_choice(choice: Mapping[str, Any], names: set[str]) -> None:
    if choice["type"] == "any" and not names:
        message = "must be auto or none where there is no tool with an input_schema."
        raise InvalidRequest.of_field("tool_choice.type", message, reason="not_supported")
    if choice["type"] == "tool" and choice["name"] not in names:
        message = "must be the name of a tool of the request that has an input_schema."
        raise InvalidRequest.of_field("tool_choice.name", message, reason="not_supported")


def _chosen(choice: Mapping[str, Any]) -> dict[str, Any]:
    words: dict[str, Any] = {"auto": "auto", "any": "required", "none": "none"}
    word = words.get(choice["type"])
    if word is None:
        word = {"type": "function", "function": {"name": short_name(choice["name"])}}
    alone = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    return {"tool_choice": word, **alone}
