"""Validates the messages of a conversation in OpenAI's format.

Roles and the shape of parts are checked; tool calls and the content of images are left to the
upstream. Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from typing import Any

import marshmallow as ma

from llm_api.web.schema_fields import FieldProblem, item_errors, list_length, messages_for

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_MESSAGES = 2_048
MAX_PARTS = 256
# An assistant's message may have no content where it has one of these.
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio", "reasoning_content")
_IMAGE_ADDRESS = re.compile(r"data:image/|https?://", re.IGNORECASE)
_BAD_IMAGE_ADDRESS = "must be a data:image/ URI or an http(s):// address."

# The same rules for the API document, in which everything else is allowed. apispec could not derive
# them: which content is required depends on the role.
_DOCUMENTED_ADDRESS = {
    "type": "string",
    "pattern": "^([Dd][Aa][Tt][Aa]:[Ii][Mm][Aa][Gg][Ee]/|[Hh][Tt][Tt][Pp][Ss]?://)",
}
_DOCUMENTED_PART = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string"}},
    "anyOf": [
        {
            "required": ["text"],
            "properties": {"type": {"enum": ["text"]}, "text": {"type": "string"}},
        },
        {
            "required": ["image_url"],
            "properties": {
                "type": {"enum": ["image_url"]},
                "image_url": {
                    "anyOf": [
                        _DOCUMENTED_ADDRESS,
                        {
                            "type": "object",
                            "required": ["url"],
                            "properties": {"url": _DOCUMENTED_ADDRESS},
                        },
                    ]
                },
            },
        },
        {"properties": {"type": {"not": {"enum": ["text", "image_url"]}}}},
    ],
}
_DOCUMENTED_PARTS = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_PARTS,
    "items": _DOCUMENTED_PART,
}
_DOCUMENTED_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"type": "string", "enum": list(ROLES)},
        "content": {"description": "Text, or a list of parts."},
    },
    "anyOf": [
        {
            "required": ["content"],
            "properties": {"content": {"anyOf": [{"type": "string"}, _DOCUMENTED_PARTS]}},
        },
        *(
            {
                "required": [name],
                "properties": {
                    "role": {"enum": ["assistant"]},
                    "content": {"type": "null"},
                    name: {"not": {"enum": [None, False, 0, "", [], {}]}},
                },
            }
            for name in _INSTEAD_OF_CONTENT
        ),
    ],
}


class OpenAIMessagesField(ma.fields.List[Any]):
    """A conversation, checked in one pass."""

    default_error_messages = messages_for("a list")

    def __init__(self) -> None:
        """Require 1 to `MAX_MESSAGES` messages."""
        message = ma.fields.Raw(metadata=_DOCUMENTED_MESSAGE)
        super().__init__(message, required=True, validate=list_length(1, MAX_MESSAGES))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        messages = value[:MAX_MESSAGES]
        if any(map(_problem_in_message, messages)):
            raise item_errors(messages, _problem_in_message)
        return value


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
        if part["type"] == "image_url" and (reason := _reason_against(part.get("image_url"))):
            return _problem(f"content[{index}].image_url.url", _BAD_IMAGE_ADDRESS, reason)
    return None


def _reason_against(image: Any) -> str | None:
    address = image.get("url") if isinstance(image, dict) else image
    if not isinstance(address, str):
        return "invalid_type"
    return None if _IMAGE_ADDRESS.match(address) else "invalid_url"


def _problem(field: str, message: str, reason: str = "invalid_type") -> _Problems:
    return {field: [FieldProblem(message, reason)]}
