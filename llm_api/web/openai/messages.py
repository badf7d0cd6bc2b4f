"""Validates the messages of a conversation in OpenAI's format.

Roles and the shape of parts are checked; tool calls and the content of images are left to the
upstream. Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import marshmallow as ma

from llm_api.web.schema_fields import (
    AnyOf,
    FieldProblem,
    item_errors,
    list_length,
    messages_for,
)

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_MESSAGES = 2_048
MAX_PARTS = 256
# An assistant's message may have no content where it has one of these.
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio", "reasoning_content")
_IMAGE_ADDRESS = re.compile(r"data:image/|https?://", re.IGNORECASE)
BAD_IMAGE_ADDRESS = "must be a data:image/ URI or an http(s):// address."

_DOCUMENTED_ADDRESS = {
    "type": "string",
    "pattern": "^([Dd][Aa][Tt][Aa]:[Ii][Mm][Aa][Gg][Ee]/|[Hh][Tt][Tt][Pp][Ss]?://)",
}
DOCUMENTED_IMAGE = {
    "anyOf": [
        _DOCUMENTED_ADDRESS,
        {"type": "object", "required": ["url"], "properties": {"url": _DOCUMENTED_ADDRESS}},
    ]
}

_PARTS = list_length(1, MAX_PARTS)


def rule_of(kinds: Sequence[str], then: Mapping[str, Any]) -> dict[str, Any]:
    """Describe, in JSON Schema, what objects of these types must fulfil."""
    is_one = {"required": ["type"], "properties": {"type": {"enum": list(kinds)}}}
    return {"if": is_one, "then": dict(then)}


def _rule(kind: str, schema: Any) -> dict[str, Any]:
    """Describe what a part of the type `kind` must have under that name."""
    return rule_of([kind], {"required": [kind], "properties": {kind: schema}})


class OpenAIContentPartSchema(ma.Schema):
    """A part of a message; types other than text and image_url are left to the upstream."""

    class Meta:
        """Marshmallow's options, and the rules that fields cannot say, for the API document.

        Rules stand in `if`, which generators of clients pass over: they make a plain class of it.
        """

        unknown = ma.INCLUDE
        rules: ClassVar[dict[str, Any]] = {
            "allOf": [_rule("text", {"type": "string"}), _rule("image_url", DOCUMENTED_IMAGE)]
        }

    type = ma.fields.String(required=True, metadata={"example": "text"})
    text = ma.fields.Raw(metadata={"description": "A text, of a part of type text."})
    image_url = ma.fields.Raw(
        metadata={"description": "An address, or an object with `url`, of a part of that type."}
    )


class OpenAIMessageSchema(ma.Schema):
    """A message; only an assistant's may have no content, where it has something instead."""

    class Meta:
        """Marshmallow's options, and the rules that fields cannot say, for the API document."""

        unknown = ma.INCLUDE
        rules: ClassVar[dict[str, Any]] = {
            "if": {
                "required": ["content"],
                "properties": {"content": {"type": ["string", "array"]}},
            },
            "else": {
                "properties": {"role": {"enum": ["assistant"]}},
                "anyOf": [
                    {
                        "required": [name],
                        "properties": {name: {"not": {"enum": [None, False, 0, "", [], {}]}}},
                    }
                    for name in _INSTEAD_OF_CONTENT
                ],
            },
        }

    role = ma.fields.String(required=True, validate=ma.validate.OneOf(ROLES))
    content = AnyOf(
        ma.fields.String(),
        ma.fields.List(ma.fields.Nested(OpenAIContentPartSchema), validate=_PARTS),
        allow_none=True,
    )


class CheckedList(ma.fields.List[Any]):
    """A list that is documented by a schema of its items, and checked in one pass.

    Of more items than it may have only as many are looked at.
    """

    default_error_messages = messages_for("a list")

    def __init__(
        self,
        schema: type[ma.Schema],
        problem_in: Callable[[Any], Any],
        *,
        at_least: int = 0,
        at_most: int,
        **options: Any,
    ) -> None:
        """Limit a list of what `schema` describes; `problem_in` says what is wrong with one."""
        item = ma.fields.Nested(schema)
        super().__init__(item, validate=list_length(at_least, at_most), **options)
        self._problem_in, self._at_most = problem_in, at_most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        items = value[: self._at_most]
        if any(map(self._problem_in, items)):
            raise item_errors(items, self._problem_in)
        return value


class OpenAIMessagesField(CheckedList):
    """A conversation."""

    def __init__(self) -> None:
        """Require 1 to `MAX_MESSAGES` messages."""
        super().__init__(
            OpenAIMessageSchema,
            _problem_in_message,
            at_least=1,
            at_most=MAX_MESSAGES,
            required=True,
        )


# Of a message: None, its problem, or that of one of its fields.
_Problems = dict[str, list[FieldProblem]] | list[FieldProblem] | None


def _problem_in_message(message: Any) -> _Problems:
    if not isinstance(message, dict):
        return [FieldProblem("must be an object with role and content.", "invalid_type")]
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        return _problem("role", f"must be one of {', '.join(ROLES)}.", "out_of_range")
    if isinstance(content, str):
        return None
    if content is None and role == "assistant" and any(message.get(n) for n in _INSTEAD_OF_CONTENT):
        return None
    if isinstance(content, list):
        return _problem_in_parts(content)
    return _problem("content", "must be a string or a list of parts.")


def _problem_in_parts(parts: list[Any]) -> _Problems:
    if not 1 <= len(parts) <= MAX_PARTS:
        return _problem("content", f"must have 1 to {MAX_PARTS} parts.", "out_of_range")
    if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts):
        return _problem("content", "must have only parts that are objects with a type.")
    for index, part in enumerate(parts):
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            return _problem(f"content[{index}].text", "must be a string.")
        if part["type"] == "image_url" and (reason := reason_against(part.get("image_url"))):
            return _problem(f"content[{index}].image_url.url", BAD_IMAGE_ADDRESS, reason)
    return None


def reason_against(image: Any) -> str | None:
    """Return why something is no picture's address, None where it is one."""
    address = image.get("url") if isinstance(image, dict) else image
    if not isinstance(address, str):
        return "invalid_type"
    return None if _IMAGE_ADDRESS.match(address) else "invalid_url"


def _problem(field: str, message: str, reason: str = "invalid_type") -> _Problems:
    return {field: [FieldProblem(message, reason)]}
