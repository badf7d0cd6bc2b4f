"""Checks the messages of a conversation, as OpenAI defines them.

Roles and the form of the parts are checked; what is inside a tool call or a picture is the
upstream's to judge. Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from typing import Any

import marshmallow as ma

from llm_api.web.schema_fields import MESSAGES, FieldProblem, checked_items

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_MESSAGES = 2_048
MAX_PARTS = 256
# An assistant's message may have no content where it has one of these.
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio", "reasoning_content")
_IMAGE_ADDRESS = re.compile(r"data:image/|https?://", re.IGNORECASE)
_RIGHT_IMAGE_ADDRESS = "must be a data:image/ URI or an http(s):// address."


# The same rules for the API document, which says what is refused and nothing about the rest.
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


class OpenAIMessagesField(ma.fields.Raw):
    """The conversation, checked in one pass; what is inside the messages passes through."""

    default_error_messages = MESSAGES

    def __init__(self, **kwargs: Any) -> None:
        """Take marshmallow's options."""
        described = {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_MESSAGES,
            "items": _DOCUMENTED_MESSAGE,
        }
        super().__init__(metadata=described, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> list[Any]:  # noqa: ARG002  # marshmallow's signature
        return checked_items(value, _wrong_in_message, at_most=MAX_MESSAGES)


def _wrong_in_message(message: Any) -> dict[str, FieldProblem]:
    if not isinstance(message, dict):
        return {"_schema": FieldProblem("must be an object with role and content.", "invalid_type")}
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        return {"role": FieldProblem(f"must be one of {', '.join(ROLES)}.", "out_of_range")}
    if isinstance(content, str):
        return {}
    if content is None and role == "assistant" and any(message.get(n) for n in _INSTEAD_OF_CONTENT):
        return {}
    if isinstance(content, list):
        return _wrong_in_parts(content)
    return {"content": FieldProblem("must be a string or a list of parts.", "invalid_type")}


def _wrong_in_parts(parts: list[Any]) -> dict[str, FieldProblem]:
    if not 1 <= len(parts) <= MAX_PARTS:
        return {"content": FieldProblem(f"must have 1 to {MAX_PARTS} parts.", "out_of_range")}
    if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts):
        return {
            "content": FieldProblem(
                "must have only parts that are objects with a type.", "invalid_type"
            )
        }
    for index, part in enumerate(parts):
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            return {f"content[{index}].text": FieldProblem("must be a string.", "invalid_type")}
        if part["type"] == "image_url" and (problem := _wrong_in_image(part.get("image_url"))):
            return {f"content[{index}].image_url.url": problem}
    return {}


def _wrong_in_image(image: Any) -> FieldProblem | None:
    address = image.get("url") if isinstance(image, dict) else image
    if not isinstance(address, str):
        return FieldProblem(_RIGHT_IMAGE_ADDRESS, "invalid_type")
    return (
        None if _IMAGE_ADDRESS.match(address) else FieldProblem(_RIGHT_IMAGE_ADDRESS, "invalid_url")
    )
