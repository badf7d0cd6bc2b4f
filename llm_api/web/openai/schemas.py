"""What the OpenAI routes take.

Source: https://platform.openai.com/docs/api-reference/chat/create, and for the vendors' own fields
DashScope's and Ark's references. The types that a gateway can check are checked; the rest passes
through.
"""

from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain import ChatRequest
from llm_api.web.api import ErrorDetailsSchema, StrictSchema
from llm_api.web.fields import (
    MESSAGES,
    Problem,
    StrictBoolean,
    StrictInteger,
    StrictNumber,
    StrictString,
    checked_items,
    out_of_range,
    wrong_type,
)

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_MESSAGES = 2_048
MAX_PARTS = 256
_MAX_CHOICES = 8
# Known fields whose values only the upstream can judge. They are no marshmallow fields, because
# each of those costs 2 µs on every call, whether it is used or not.
PASSED_THROUGH = frozenset(
    [
        "stop",
        "logit_bias",
        "tools",
        "tool_choice",
        "response_format",
        "functions",
        "function_call",
        "thinking",
    ]
)
# An assistant's message may have no content where it has one of these.
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio", "reasoning_content")


@dataclass(frozen=True, slots=True)
class OpenAIChatRequest:
    """A checked request, and the names of fields that were left out because nobody knows them."""

    chat: ChatRequest
    dropped: tuple[str, ...]


class OpenAIMessagesField(ma.fields.List[Any]):
    """The conversation, checked in one pass; what is inside the messages passes through."""

    default_error_messages = MESSAGES

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> list[Any]:  # noqa: ARG002  # marshmallow's signature
        return checked_items(value, _wrong_in_message, at_most=MAX_MESSAGES)


class MetadataField(ma.fields.Dict):
    """Labels of the caller's own: one line of text each."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> dict[str, str]:  # noqa: ARG002  # marshmallow's signature
        if not isinstance(value, dict):
            raise wrong_type("an object")
        texts = [*value.keys(), *value.values()]
        if not all(isinstance(text, str) and text.isprintable() for text in texts):
            raise out_of_range("an object of printable strings without line breaks")
        return value


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
    return {}


def _optional(field: ma.fields.Field[Any]) -> ma.fields.Field[Any]:
    """Let a field be null: SDKs send null for what their user left out."""
    field.allow_none = True
    return field


class OpenAIErrorBodySchema(ma.Schema):
    """An error, as OpenAI defines it, with our details."""

    message = ma.fields.String()
    type = ma.fields.String()
    param = ma.fields.String(allow_none=True)
    code = ma.fields.String(metadata={"description": "A stable word for the cause."})
    details = ma.fields.Nested(ErrorDetailsSchema)


class OpenAIErrorSchema(ma.Schema):
    """The envelope of every error under `/v1`."""

    error = ma.fields.Nested(OpenAIErrorBodySchema)


class OpenAIMessageSchema(ma.Schema):
    """One message of a conversation, as OpenAI defines it."""

    role = ma.fields.String(required=True, metadata={"enum": list(ROLES)})
    content = ma.fields.Raw(metadata={"description": "Text, or a list of parts."})


class OpenAIChatRequestSchema(StrictSchema):
    """A conversation to continue, as OpenAI defines it.

    `stop`, `logit_bias`, `tools`, `tool_choice`, `response_format`, `functions`, `function_call`
    and `thinking` are passed on as they are; fields that are not known are dropped and named in the
    header `x-dropped-params`.
    """

    class Meta:
        """Marshmallow's options: unknown fields come along, to be named and dropped in `make`."""

        unknown = ma.INCLUDE

    messages = OpenAIMessagesField(ma.fields.Nested(OpenAIMessageSchema), required=True)
    model = StrictString(required=True, at_least=1, at_most=256, is_printable=True)
    stream = _optional(StrictBoolean())
    temperature = _optional(StrictNumber(minimum=0, maximum=2))
    top_p = _optional(StrictNumber(minimum=0, maximum=1, is_open=True))
    presence_penalty = _optional(StrictNumber(minimum=-2, maximum=2))
    frequency_penalty = _optional(StrictNumber(minimum=-2, maximum=2))
    max_tokens = _optional(StrictInteger(minimum=1))
    max_completion_tokens = _optional(StrictInteger(minimum=1))
    n = _optional(StrictInteger(minimum=1, maximum=_MAX_CHOICES))
    seed = _optional(StrictInteger(minimum=0))
    top_logprobs = _optional(StrictInteger(minimum=0, maximum=20))
    logprobs = _optional(StrictBoolean())
    parallel_tool_calls = _optional(StrictBoolean())
    user = _optional(StrictString(at_most=512, is_printable=True))
    reasoning_effort = _optional(StrictString(at_most=32, is_printable=True))
    metadata = MetadataField(
        allow_none=True,
        metadata={"description": "Checked, and not passed on: see x-dropped-params."},
    )
    top_k = _optional(StrictInteger(minimum=0))
    repetition_penalty = _optional(StrictNumber(minimum=0, maximum=10))
    enable_thinking = _optional(StrictBoolean())
    thinking_budget = _optional(StrictInteger(minimum=0))

    @ma.validates("stream")
    def refuse_streaming(self, value: bool | None, **_: Any) -> None:  # noqa: FBT001  # marshmallow's signature
        """Refuse `true`."""
        if value:
            raise ValidationError(
                [Problem("must be false: streaming is not supported.", "streaming_unsupported")]
            )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> OpenAIChatRequest:
        """Make the request that the service takes; null means left out."""
        known = {name: document[name] for name in document if self._is_known(name)}
        dropped = tuple(document.keys() - known.keys())
        parameters = {
            name: value
            for name, value in known.items()
            if value is not None and name not in {"model", "stream"}
        }
        return OpenAIChatRequest(ChatRequest(document["model"], parameters), dropped)

    def _is_known(self, name: str) -> bool:
        return name != "metadata" and (name in self.fields or name in PASSED_THROUGH)
