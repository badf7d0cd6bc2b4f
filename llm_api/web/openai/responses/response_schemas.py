"""What the Responses route answers, for the API document.

Source: `Response` and `ResponseStreamEvent` of openai-python 3.54.0. Fields that repeat the request
are described with the request.
"""

from typing import Any

import marshmallow as ma

from llm_api.web.openai.answer_schemas import AnswerSchema

_ITEMS = ("message", "reasoning", "function_call", "custom_tool_call")
_STATUSES = ("completed", "incomplete", "in_progress", "failed")
_LIFE = ("created", "in_progress", "completed", "incomplete", "failed")


def _one_of(*choices: str) -> ma.validate.OneOf:
    return ma.validate.OneOf(choices)


def _count() -> ma.fields.Integer:
    return ma.fields.Integer(required=True, validate=ma.validate.Range(min=0))


class InputDetailsSchema(ma.Schema):
    """Of the input, what came from a cache and what was written to one."""

    cached_tokens = _count()
    cache_write_tokens = _count()


class OutputDetailsSchema(ma.Schema):
    """Of the output, what was thought."""

    reasoning_tokens = _count()


class ResponseUsageSchema(ma.Schema):
    """Tokens as the upstream counted them; estimated where it did not."""

    input_tokens = _count()
    input_tokens_details = ma.fields.Nested(InputDetailsSchema, required=True)
    output_tokens = _count()
    output_tokens_details = ma.fields.Nested(OutputDetailsSchema, required=True)
    total_tokens = _count()


class OutputItemSchema(AnswerSchema):
    """A message, what was thought before it, or a call of a tool."""

    id = ma.fields.String(required=True, metadata={"example": "msg_9f2c1a00"})
    type = ma.fields.String(required=True, validate=_one_of(*_ITEMS))
    status = ma.fields.String(required=True, validate=_one_of(*_STATUSES[:3]))


class IncompleteDetailsSchema(AnswerSchema):
    """Why a response is not whole."""

    reason = ma.fields.String(required=True, metadata={"example": "max_output_tokens"})


class ResponseErrorSchema(AnswerSchema):
    """Why a streamed response has failed."""

    code = ma.fields.String(required=True, metadata={"example": "server_is_overloaded"})
    message = ma.fields.String(required=True)


class ResponseSchema(AnswerSchema):
    """A response; it also repeats fields of the request."""

    id = ma.fields.String(required=True, metadata={"example": "resp_9f2c1a"})
    object = ma.fields.String(required=True, validate=_one_of("response"))
    created_at = ma.fields.Integer(required=True, metadata={"description": "Seconds since 1970."})
    status = ma.fields.String(required=True, validate=_one_of(*_STATUSES))
    model = ma.fields.String(required=True)
    output = ma.fields.List(ma.fields.Nested(OutputItemSchema), required=True)
    usage = ma.fields.Nested(ResponseUsageSchema, required=True, allow_none=True)
    error = ma.fields.Nested(ResponseErrorSchema, required=True, allow_none=True)
    incomplete_details = ma.fields.Nested(IncompleteDetailsSchema, required=True, allow_none=True)


class ResponseEventSchema(AnswerSchema):
    """An event of a streamed response; the first and the last ones have a whole `response`."""

    type = ma.fields.String(required=True, metadata={"example": "response.output_text.delta"})
    sequence_number = _count()
    response = ma.fields.Nested(
        ResponseSchema,
        metadata={"description": f"Of the events response.{', '.join(_LIFE)}."},
    )


def events_schema() -> dict[str, Any]:
    """Describe one event of a streamed response."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": ResponseEventSchema(),
    }
    name = {"type": "string", "description": "The `type` of the data."}
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": name, "data": {"description": "JSON.", "anyOf": [data]}},
    }
