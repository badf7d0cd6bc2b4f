"""Checks the messages of a conversation, as OpenAI defines them.

Roles and the form of the parts are checked; what is inside a tool call or a picture is the
upstream's to judge. Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from typing import Any

import marshmallow as ma

from llm_api.web.fields import MESSAGES, Problem, checked_items

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_MESSAGES = 2_048
MAX_PARTS = 256
# An assistant's message may have no content where it has one of these.
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio", "reasoning_content")
_IMAGE_ADDRESS = re.compile(r"data:image/|https?://", re.IGNORECASE)
_RIGHT_IMAGE_ADDRESS = "must be a data:image/ URI or an http(s):// address."


class OpenAIMessageSchema(ma.Schema):
    """One message of a conversation, as OpenAI defines it."""

    role = ma.fields.String(required=True, metadata={"enum": list(ROLES)})
    content = ma.fields.Raw(metadata={"description": "Text, or a list of parts."})


class OpenAIMessagesField(ma.fields.List[Any]):
    """The conversation, checked in one pass; what is inside the messages passes through."""

    default_error_messages = MESSAGES

    def __init__(self, **kwargs: Any) -> None:
        """Take marshmallow's options."""
        super().__init__(ma.fields.Nested(OpenAIMessageSchema), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> list[Any]:  # noqa: ARG002  # marshmallow's signature
        return checked_items(value, _wrong_in_message, at_most=MAX_MESSAGES)


def _wrong_in_message(message: Any) -> dict[str, Problem]:
    if not isinstance(message, dict):
        return {"_schema": Problem("must be an object with role and content.", "invalid_type")}
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        return {"role": Problem(f"must be one of {', '.join(ROLES)}.", "out_of_range")}
    if isinstance(content, str):
        return {}
    if content is None and role == "assistant" and any(message.get(n) for n in _INSTEAD_OF_CONTENT):
        return {}
    if isinstance(content, list):
        return _wrong_in_parts(content)
    return {"content": Problem("must be a string or a list of parts.", "invalid_type")}


def _wrong_in_parts(parts: list[Any]) -> dict[str, Problem]:
    if not 1 <= len(parts) <= MAX_PARTS:
        return {"content": Problem(f"must have 1 to {MAX_PARTS} parts.", "out_of_range")}
    if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts):
        return {
            "content": Problem("must have only parts that are objects with a type.", "invalid_type")
        }
    for index, part in enumerate(parts):
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            return {f"content[{index}].text": Problem("must be a string.", "invalid_type")}
        if part["type"] == "image_url" and (problem := _wrong_in_image(part.get("image_url"))):
            return {f"content[{index}].image_url.url": problem}
    return {}


def _wrong_in_image(image: Any) -> Problem | None:
    address = image.get("url") if isinstance(image, dict) else image
    if not isinstance(address, str):
        return Problem(_RIGHT_IMAGE_ADDRESS, "invalid_type")
    return None if _IMAGE_ADDRESS.match(address) else Problem(_RIGHT_IMAGE_ADDRESS, "invalid_url")
