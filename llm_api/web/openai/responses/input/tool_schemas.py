"""What tools of a request may be, and the choice of one; both are checked in one pass.

Source: `ToolParam` and `ToolChoice` of openai-python 3.54.0. What a tool of another kind than
function, custom and namespace has is not looked at.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import marshmallow as ma

from llm_api.web.openai.messages import CheckedList, rule_of
from llm_api.web.openai.responses.input.tool_forms import ALLOWED, NAMESPACE
from llm_api.web.openai.responses.input.tool_names import CUSTOM, FUNCTION
from llm_api.web.schema_fields import (
    AnyOf,
    FieldProblem,
    messages_for,
    wrong_type,
)

MAX_TOOLS = 512
MAX_IN_A_SPACE = 256
_WORDS = ("auto", "none", "required")
_MODES = ("auto", "required")
_A_CHOICE = f"one of {', '.join(_WORDS)}, or an object with a type"
Problems = dict[str, Any] | list[FieldProblem] | None

# The fields of a function or custom tool that are looked at; null is as good as left out.
_TYPES: Mapping[str, tuple[type, str, str]] = {
    "description": (str, "string", "a string"),
    "parameters": (dict, "object", "an object"),
    "strict": (bool, "boolean", "true or false"),
}
_OPTIONAL = {name: {"type": [kind, "null"]} for name, (_, kind, _) in _TYPES.items()}
_NAMED = {"required": ["name"], "properties": {"name": {"type": "string"}, **_OPTIONAL}}
_AS_IN_A_CHAT = {
    "required": [FUNCTION],
    "properties": {FUNCTION: {"type": "object", **_NAMED}},
}
_FLAT = {
    **_NAMED,
    "properties": {**_NAMED["properties"], FUNCTION: {"not": {"type": "object"}}},  # type: ignore[dict-item]  # both are objects
}
_CALLED = [rule_of([FUNCTION], {"anyOf": [_AS_IN_A_CHAT, _FLAT]}), rule_of([CUSTOM], _NAMED)]
# Written out: of a document that refers to itself schemathesis makes no requests.
_INNER = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"enum": [FUNCTION, CUSTOM]}},
    "allOf": _CALLED,
}
_SPACE = {
    "required": ["name", "tools"],
    "properties": {
        "name": {"type": "string"},
        "tools": {"type": "array", "maxItems": MAX_IN_A_SPACE, "items": _INNER},
    },
}
TOOLS_DOCUMENT = {
    "type": "array",
    "maxItems": MAX_TOOLS,
    "items": {"$ref": "#/components/schemas/ResponsesTool"},
}


class ResponsesToolSchema(ma.Schema):
    """A tool that the model may call; of kinds that only OpenAI can run it is not told."""

    class Meta:
        """Marshmallow's options, and the rules that fields cannot say, for the API document."""

        unknown = ma.INCLUDE
        rules: ClassVar[dict[str, Any]] = {"allOf": [*_CALLED, rule_of([NAMESPACE], _SPACE)]}

    type = ma.fields.String(required=True, metadata={"example": FUNCTION})


class ToolsField(CheckedList):
    """The tools of a request."""

    def __init__(self) -> None:
        """Limit them to `MAX_TOOLS`."""
        super().__init__(ResponsesToolSchema, problem_in_tool, at_most=MAX_TOOLS, allow_none=True)


def problem_in_tool(tool: Any) -> Problems:
    """Return what is wrong with a tool, None where nothing is."""
    if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
        return [FieldProblem("must be an object with a type.", "invalid_type")]
    if tool["type"] == NAMESPACE:
        return _problem_in_space(tool)
    if tool["type"] == FUNCTION and isinstance(inner := tool.get(FUNCTION), dict):
        return _problem_in_named(inner, f"{FUNCTION}.")
    return _problem_in_named(tool) if tool["type"] in (FUNCTION, CUSTOM) else None


def problem_in_tools(tools: Any, at_most: int = MAX_TOOLS) -> str | None:
    """Return what is wrong with a list of `at_most` tools, in words; None where nothing is."""
    if not isinstance(tools, list) or len(tools) > at_most:
        return f"must be a list of 0 to {at_most} tools."
    return "must have only valid tools." if any(map(problem_in_tool, tools)) else None


def _problem_in_named(tool: Mapping[str, Any], path: str = "") -> Problems:
    if not isinstance(tool.get("name"), str):
        return {f"{path}name": [FieldProblem("must be a string.", "invalid_type")]}
    for name, (kind, _, expected) in _TYPES.items():
        if not isinstance(tool.get(name), kind | None):
            return {f"{path}{name}": [FieldProblem(f"must be {expected}.", "invalid_type")]}
    return None


def _problem_in_space(space: Mapping[str, Any]) -> Problems:
    if not isinstance(space.get("name"), str):
        return {"name": [FieldProblem("must be a string.", "invalid_type")]}
    tools = space.get("tools")
    if wrong := problem_in_tools(tools, MAX_IN_A_SPACE):
        return {"tools": [FieldProblem(wrong, "invalid_type")]}
    if tools and not all(tool["type"] in (FUNCTION, CUSTOM) for tool in tools):
        message = f"must have only tools of the types {FUNCTION} and {CUSTOM}."
        return {"tools": [FieldProblem(message, "out_of_range")]}
    return None


# --- the choice ---


class ResponsesToolChoiceSchema(ma.Schema):
    """The tool to be called, or with `allowed_tools` those that may be."""

    class Meta:
        """Marshmallow's options, and the rules that fields cannot say, for the API document."""

        unknown = ma.INCLUDE
        rules: ClassVar[dict[str, Any]] = {
            "allOf": [
                rule_of(
                    [FUNCTION, CUSTOM],
                    {
                        "anyOf": [
                            {"required": ["name"], "properties": {"name": {"type": "string"}}},
                            {
                                "required": [FUNCTION],
                                "properties": {
                                    FUNCTION: {
                                        "type": "object",
                                        "required": ["name"],
                                        "properties": {"name": {"type": "string"}},
                                    }
                                },
                            },
                        ]
                    },
                ),
                rule_of(
                    [ALLOWED],
                    {
                        "required": ["mode", "tools"],
                        "properties": {
                            "mode": {"enum": list(_MODES)},
                            "tools": {
                                "type": "array",
                                "maxItems": MAX_TOOLS,
                                "items": {"type": "object"},
                            },
                        },
                    },
                ),
            ]
        }

    type = ma.fields.String(required=True, metadata={"example": FUNCTION})


class ToolChoiceField(AnyOf):
    """A word, or an object that names a tool or the only tools that may be called."""

    default_error_messages = messages_for(_A_CHOICE)

    def __init__(self) -> None:
        """Describe both forms."""
        words = ma.fields.String(validate=ma.validate.OneOf(_WORDS))
        super().__init__(words, ma.fields.Nested(ResponsesToolChoiceSchema), allow_none=True)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, str):
            if value not in _WORDS:
                raise ma.ValidationError(f"must be {_A_CHOICE}.")
            return value
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            raise wrong_type(_A_CHOICE)
        if wrong := _wrong_in(value):
            raise wrong_type(wrong)
        return value


def _wrong_in(choice: Mapping[str, Any]) -> str | None:
    """Return what a choice would have to be, None where it is right."""
    if choice["type"] == ALLOWED:
        tools = choice.get("tools")
        is_right = (
            choice.get("mode") in _MODES
            and isinstance(tools, list)
            and len(tools) <= MAX_TOOLS
            and all(isinstance(tool, dict) for tool in tools)
        )
        return None if is_right else "an object with a mode, auto or required, and a list of tools"
    if choice["type"] not in (FUNCTION, CUSTOM) or isinstance(choice.get("name"), str):
        return None
    inner = choice.get(FUNCTION)
    is_named = isinstance(inner, dict) and isinstance(inner.get("name"), str)
    return None if is_named else "an object with a type and the name of a tool"
