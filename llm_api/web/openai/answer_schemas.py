"""What the OpenAI routes answer, for the API document: answers are passed on and not dumped.

Fields that OpenAI's reference has are described where every upstream that sends them means the
same; all others that a vendor adds are allowed. Source:
https://platform.openai.com/docs/api-reference/chat/object, …/chat/streaming, …/completions/object,
…/embeddings/object and …/models/object; `reasoning_content` is DeepSeek's and DashScope's.
"""

from typing import Any

import marshmallow as ma

from llm_api.web.openai.schemas import OpenAIErrorSchema
from llm_api.web.schema_fields import AnyOf

_DONE = "[DONE]"
_ARGUMENTS = {"description": "JSON as the model wrote it, which may be malformed."}
_USAGE = {"description": "null or missing where the upstream does not count."}
_FOR_ANTHROPIC = {"description": "For clients that send `anthropic-version`."}
_REASON = {"description": "stop, length, tool_calls, content_filter, or a vendor's own."}


class AnswerSchema(ma.Schema):
    """A part of an upstream's answer."""

    class Meta:
        """Marshmallow's options."""

        unknown = ma.INCLUDE


def _one_of(*choices: str) -> ma.validate.OneOf:
    return ma.validate.OneOf(choices)


def _text(**options: Any) -> ma.fields.String:
    return ma.fields.String(allow_none=True, metadata=options)


def _parts(schema: type[ma.Schema]) -> ma.fields.List[Any]:
    return ma.fields.List(ma.fields.Nested(schema), required=True)


class TokenDetailsSchema(AnswerSchema):
    """Parts of a count of tokens."""

    cached_tokens = ma.fields.Integer(allow_none=True)
    reasoning_tokens = ma.fields.Integer(allow_none=True)


class TokenUsageSchema(AnswerSchema):
    """Tokens as the upstream counted them."""

    prompt_tokens = ma.fields.Integer()
    completion_tokens = ma.fields.Integer()
    total_tokens = ma.fields.Integer()
    prompt_tokens_details = ma.fields.Nested(TokenDetailsSchema, allow_none=True)
    completion_tokens_details = ma.fields.Nested(TokenDetailsSchema, allow_none=True)


def _usage() -> ma.fields.Nested:
    return ma.fields.Nested(TokenUsageSchema, allow_none=True, metadata=_USAGE)


class CalledFunctionSchema(AnswerSchema):
    """A function to call; in a stream, the name comes once and the arguments in pieces."""

    name = _text()
    arguments = _text(**_ARGUMENTS)


class ToolCallSchema(AnswerSchema):
    """A call that the model asks for."""

    id = _text()
    type = _text(example="function")
    function = ma.fields.Nested(CalledFunctionSchema, allow_none=True)


class ToolCallDeltaSchema(ToolCallSchema):
    """A piece of a call; `index` tells which call it belongs to."""

    index = ma.fields.Integer(required=True)


class CompletionMessageSchema(AnswerSchema):
    """The message that the model wrote; without text where it calls tools or refuses."""

    role = _text(example="assistant")
    content = _text()
    refusal = _text()
    reasoning_content = _text(description="What the model wrote before its answer.")
    tool_calls = ma.fields.List(ma.fields.Nested(ToolCallSchema), allow_none=True)


class CompletionChoiceSchema(AnswerSchema):
    """One of the completions."""

    index = ma.fields.Integer()
    message = ma.fields.Nested(CompletionMessageSchema, required=True)
    finish_reason = _text(**_REASON)


class ChatCompletionSchema(AnswerSchema):
    """A conversation's continuation."""

    id = ma.fields.String(required=True, metadata={"example": "chatcmpl-9f2c1a"})
    object = ma.fields.String(required=True, validate=_one_of("chat.completion"))
    created = ma.fields.Integer(required=True, metadata={"description": "Seconds since 1970."})
    model = ma.fields.String(required=True)
    choices = _parts(CompletionChoiceSchema)
    usage = _usage()


class CompletionDeltaSchema(AnswerSchema):
    """A piece of the message; the role comes once."""

    role = _text(example="assistant")
    content = _text()
    refusal = _text()
    reasoning_content = _text(description="What the model writes before its answer.")
    tool_calls = ma.fields.List(ma.fields.Nested(ToolCallDeltaSchema), allow_none=True)


class ChunkChoiceSchema(AnswerSchema):
    """A piece of one of the completions."""

    index = ma.fields.Integer(required=True)
    delta = ma.fields.Nested(CompletionDeltaSchema, required=True)
    finish_reason = _text(**_REASON)


class ChatCompletionChunkSchema(AnswerSchema):
    """An event of a streamed completion; the last one may have only the usage."""

    id = ma.fields.String(required=True, metadata={"example": "chatcmpl-9f2c1a"})
    object = ma.fields.String(required=True, validate=_one_of("chat.completion.chunk"))
    created = ma.fields.Integer(required=True, metadata={"description": "Seconds since 1970."})
    model = ma.fields.String(required=True)
    choices = _parts(ChunkChoiceSchema)
    usage = _usage()


class TextChoiceSchema(AnswerSchema):
    """One of the texts, or a piece of it."""

    index = ma.fields.Integer()
    text = ma.fields.String(required=True)
    finish_reason = _text(**_REASON)


class TextCompletionSchema(AnswerSchema):
    """A text's continuation, whole or as an event of a stream."""

    id = ma.fields.String(required=True, metadata={"example": "cmpl-9f2c1a"})
    object = ma.fields.String(required=True, validate=_one_of("text_completion"))
    created = ma.fields.Integer(required=True, metadata={"description": "Seconds since 1970."})
    model = ma.fields.String(required=True)
    choices = _parts(TextChoiceSchema)
    usage = _usage()


class EmbeddingSchema(AnswerSchema):
    """The vector of one text."""

    object = _text(example="embedding")
    index = ma.fields.Integer()
    embedding = AnyOf(
        ma.fields.List(ma.fields.Float()),
        ma.fields.String(),
        required=True,
        metadata={
            "description": "Numbers; with `encoding_format: base64`, 32-bit floats in base64."
        },
    )


class EmbeddingListSchema(AnswerSchema):
    """The vectors, in the order of the texts."""

    object = ma.fields.String(required=True, validate=_one_of("list"))
    data = _parts(EmbeddingSchema)
    model = ma.fields.String(required=True)
    usage = _usage()


class ModelSchema(ma.Schema):
    """An available model."""

    id = ma.fields.String(required=True)
    object = ma.fields.String(required=True, validate=_one_of("model"))
    created = ma.fields.Integer(required=True)
    owned_by = ma.fields.String(required=True, metadata={"description": "Its upstream."})
    type = ma.fields.String(validate=_one_of("model"), metadata=_FOR_ANTHROPIC)
    display_name = ma.fields.String(metadata=_FOR_ANTHROPIC)
    created_at = ma.fields.String(metadata=_FOR_ANTHROPIC)
    lifecycle = ma.fields.String(validate=_one_of("active"), metadata=_FOR_ANTHROPIC)


class ModelListSchema(ma.Schema):
    """The available models."""

    object = ma.fields.String(required=True, validate=_one_of("list"))
    data = _parts(ModelSchema)
    has_more = ma.fields.Boolean(metadata=_FOR_ANTHROPIC)
    first_id = ma.fields.String(allow_none=True, metadata=_FOR_ANTHROPIC)
    last_id = ma.fields.String(allow_none=True, metadata=_FOR_ANTHROPIC)


def events_of(chunk: ma.Schema) -> dict[str, Any]:
    """Describe one event of a stream whose data is a `chunk`, an error, or the mark of the end."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"anyOf": [chunk, OpenAIErrorSchema()]},
    }
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {"description": "JSON, and at the end [DONE].", "anyOf": [_end(), data]}
        },
    }


def _end() -> dict[str, str]:
    return {"type": "string", "const": _DONE}
