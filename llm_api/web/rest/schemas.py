"""What the REST routes take and give."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.calls import ModelRequest
from llm_api.web.schema_fields import (
    MESSAGES,
    UNKNOWN,
    FieldProblem,
    StrictBoolean,
    StrictInteger,
    StrictNumber,
    StrictString,
    checked_items,
)
from llm_api.web.smorest import StrictSchema

ROLES = ("system", "user", "assistant")
MAX_MESSAGES = 2_048


class MessageSchema(StrictSchema):
    """One message of a conversation."""

    role = StrictString(required=True, choices=ROLES)
    content = StrictString(required=True)


class MessagesField(ma.fields.List[Any]):
    """The conversation, documented as a list of messages and checked in one pass."""

    default_error_messages = MESSAGES

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> list[Any]:  # noqa: ARG002  # marshmallow's signature
        return checked_items(value, _wrong_in_message, at_most=MAX_MESSAGES)


def _wrong_in_message(message: Any) -> dict[str, FieldProblem]:
    if not isinstance(message, dict):
        return {"_schema": FieldProblem("must be an object with role and content.", "invalid_type")}
    wrong = {}
    if message.get("role") not in ROLES:
        wrong["role"] = FieldProblem(f"must be one of {', '.join(ROLES)}.", "out_of_range")
    if not isinstance(message.get("content"), str):
        wrong["content"] = FieldProblem("must be a string.", "invalid_type")
    for name in message.keys() - {"role", "content"}:
        wrong[name] = FieldProblem(UNKNOWN, "unknown_field")
        break  # one is enough to know
    return wrong


def _model_field() -> StrictString:
    return StrictString(
        at_least=1,
        at_most=256,
        is_printable=True,
        metadata={"description": "The model; the configured one where left out."},
    )


class ChatRequestSchema(StrictSchema):
    """A conversation to continue."""

    messages = MessagesField(
        ma.fields.Nested(MessageSchema),
        required=True,
        metadata={"minItems": 1, "maxItems": MAX_MESSAGES},
    )
    model = _model_field()
    temperature = StrictNumber(minimum=0, maximum=2, load_default=0.7)
    max_tokens = StrictInteger(minimum=1)
    stream = StrictBoolean(
        metadata={
            "enum": [False],
            "description": "Must be false: this route answers in one piece."
            " `POST /v1/chat/completions` streams.",
        }
    )

    @ma.validates("stream")
    def refuse_streaming(self, value: bool, **_: Any) -> None:  # noqa: FBT001  # marshmallow's signature
        """Refuse `true`."""
        if value:
            raise ValidationError(
                [
                    FieldProblem(
                        "must be false: this route answers in one piece;"
                        " POST /v1/chat/completions streams.",
                        "streaming_unsupported",
                    )
                ]
            )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> ModelRequest:
        """Make the request that the service takes."""
        document.pop("stream", None)
        return ModelRequest(model=document.pop("model", None), parameters=document)


class AnswerMessageSchema(ma.Schema):
    """The message that the model wrote."""

    role = ma.fields.String()
    content = ma.fields.String(allow_none=True)


class ChoiceSchema(ma.Schema):
    """One answer."""

    index = ma.fields.Integer()
    message = ma.fields.Nested(AnswerMessageSchema)
    finish_reason = ma.fields.String(allow_none=True)


class UsageSchema(ma.Schema):
    """Tokens, as the upstream counted them; null where it did not."""

    prompt_tokens = ma.fields.Integer(allow_none=True)
    completion_tokens = ma.fields.Integer(allow_none=True)
    total_tokens = ma.fields.Integer(allow_none=True)


class FallbackModelSchema(ma.Schema):
    """A model, and the upstream that has it."""

    upstream = ma.fields.String()
    model = ma.fields.String()


class FallbackSchema(ma.Schema):
    """Says that another model than the one asked for has answered, and why."""

    asked = ma.fields.Nested(FallbackModelSchema)
    used = ma.fields.Nested(FallbackModelSchema)
    reason = ma.fields.String(metadata={"example": "upstream_unavailable"})


class ChatAnswerSchema(ma.Schema):
    """The conversation's continuation."""

    id = ma.fields.String()
    object = ma.fields.String(metadata={"enum": ["chat.completion"]})
    created = ma.fields.Integer()
    model = ma.fields.String(
        allow_none=True, metadata={"description": "The model that answered, as the upstream says."}
    )
    choices = ma.fields.List(ma.fields.Nested(ChoiceSchema))
    usage = ma.fields.Nested(UsageSchema)
    fallback = ma.fields.Nested(
        FallbackSchema, metadata={"description": "Only present where a fallback has answered."}
    )
