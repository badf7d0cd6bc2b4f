"""What `/v1/messages` answers, for the API document.

Source: https://platform.claude.com/docs/en/api/messages and the types of the anthropic package
2.14.0.
"""

from typing import Any

import marshmallow as ma

from llm_api.web.anthropic.schemas import AnthropicErrorSchema

_ENDINGS = ("end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal")
_EVENTS = (
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "message_stop", "ping"),
)
_BLOCKS = ("text", "thinking", "tool_use")
_DELTAS = ("text_delta", "thinking_delta", "signature_delta", "input_json_delta")


def _one_of(*choices: str) -> ma.validate.OneOf:
    return ma.validate.OneOf(choices)


class ThinkingTokensSchema(ma.Schema):
    """Parts of a count of tokens."""

    thinking_tokens = ma.fields.Integer(required=True)


class MessageUsageSchema(ma.Schema):
    """Tokens as the upstream counted them; estimated where it does not."""

    input_tokens = ma.fields.Integer(
        required=True, metadata={"description": "Without those of the cache."}
    )
    cache_creation_input_tokens = ma.fields.Integer(required=True)
    cache_read_input_tokens = ma.fields.Integer(required=True)
    output_tokens = ma.fields.Integer(required=True)
    output_tokens_details = ma.fields.Nested(ThinkingTokensSchema)


class ContentBlockSchema(ma.Schema):
    """A block of the answer; `type` says which fields it has."""

    type = ma.fields.String(required=True, validate=_one_of(*_BLOCKS))
    text = ma.fields.String()
    thinking = ma.fields.String()
    signature = ma.fields.String(metadata={"description": "Send the block back with it."})
    id = ma.fields.String()
    name = ma.fields.String()
    input = ma.fields.Dict(
        metadata={"description": "`INVALID_JSON` has what the model wrote if it is no object."}
    )


class RefusalDetailsSchema(ma.Schema):
    """That the model refused; its words are in the content."""

    type = ma.fields.String(required=True, validate=_one_of("refusal"))
    category = ma.fields.String(required=True, allow_none=True)
    explanation = ma.fields.String(required=True, allow_none=True)


class EndingSchema(ma.Schema):
    """How the answer ended."""

    stop_reason = ma.fields.String(required=True, allow_none=True, validate=_one_of(*_ENDINGS))
    stop_sequence = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The one that was met, where the upstream says which."},
    )
    stop_details = ma.fields.Nested(RefusalDetailsSchema, required=True, allow_none=True)


class AnthropicMessageSchema(EndingSchema):
    """The model's turn."""

    id = ma.fields.String(required=True, metadata={"example": "msg_9f2c1a"})
    type = ma.fields.String(required=True, validate=_one_of("message"))
    role = ma.fields.String(required=True, validate=_one_of("assistant"))
    model = ma.fields.String(required=True)
    content = ma.fields.List(ma.fields.Nested(ContentBlockSchema), required=True)
    usage = ma.fields.Nested(MessageUsageSchema, required=True)


class BlockDeltaSchema(ma.Schema):
    """More of a block; `type` says which field it has."""

    type = ma.fields.String(required=True, validate=_one_of(*_DELTAS))
    text = ma.fields.String()
    thinking = ma.fields.String()
    signature = ma.fields.String()
    partial_json = ma.fields.String()


class BlockEventSchema(ma.Schema):
    """An event of a block: `content_block_start`, `content_block_delta` or `content_block_stop`."""

    type = ma.fields.String(required=True, validate=_one_of(*_EVENTS[1:4]))
    index = ma.fields.Integer(required=True)
    content_block = ma.fields.Nested(ContentBlockSchema)
    delta = ma.fields.Nested(BlockDeltaSchema)


class MessageEventSchema(ma.Schema):
    """An event of the whole message: `message_start`, `message_delta`, `message_stop` or `ping`."""

    type = ma.fields.String(required=True, validate=_one_of(_EVENTS[0], *_EVENTS[4:]))
    message = ma.fields.Nested(AnthropicMessageSchema)
    delta = ma.fields.Nested(EndingSchema)
    usage = ma.fields.Nested(MessageUsageSchema)


class TokenCountSchema(ma.Schema):
    """How many tokens a conversation has."""

    input_tokens = ma.fields.Integer(required=True, metadata={"description": "An estimate."})


def events_schema() -> dict[str, Any]:
    """Describe one event of a stream."""
    described = [BlockEventSchema(), MessageEventSchema(), AnthropicErrorSchema()]
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"anyOf": described},
    }
    name = {"type": "string", "enum": [*_EVENTS, "error"]}
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": name, "data": {"anyOf": [data]}},
    }
