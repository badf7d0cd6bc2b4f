"""Requests and responses of the REST routes."""

import secrets
import time
from itertools import islice
from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.calls import Completion, ModelRequest
from llm_api.web.schema_fields import (
    UNKNOWN,
    Boolean,
    FieldProblem,
    Float,
    Integer,
    String,
    item_errors,
    line,
    list_length,
    messages_for,
    one_of,
    within,
)
from llm_api.web.smorest import StrictSchema

ROLES = ("system", "user", "assistant")
MAX_MESSAGES = 2_048
TEMPERATURE = 0.7  # where the caller names none
_KNOWN = ("role", "content")


class MessageSchema(StrictSchema):
    """A message of a conversation."""

    role = String(required=True, validate=one_of(ROLES))
    content = String(required=True)


class MessagesField(ma.fields.List[Any]):
    """A conversation, documented as a list of `MessageSchema` and validated in one pass.

    Loading that schema for each message would take 40 times as long.
    """

    default_error_messages = messages_for("a list")

    def __init__(self) -> None:
        """Require 1 to `MAX_MESSAGES` messages."""
        length = list_length(1, MAX_MESSAGES)
        super().__init__(ma.fields.Nested(MessageSchema), required=True, validate=length)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        messages = value[:MAX_MESSAGES]
        if any(map(_problem_in_message, messages)):
            raise item_errors(messages, _problem_in_message)
        return value


def _problem_in_message(message: Any) -> dict[str, list[FieldProblem]] | list[FieldProblem]:
    if not isinstance(message, dict):
        return [FieldProblem("must be an object with role and content.", "invalid_type")]
    wrong = {}
    if message.get("role") not in ROLES:
        wrong["role"] = [FieldProblem(f"must be one of {', '.join(ROLES)}.", "out_of_range")]
    if not isinstance(message.get("content"), str):
        wrong["content"] = [FieldProblem("must be a string.", "invalid_type")]
    if wrong or len(message) > len(_KNOWN):
        unknown = (name for name in message if name not in _KNOWN)
        wrong |= {name: [FieldProblem(UNKNOWN, "unknown_field")] for name in islice(unknown, 1)}
    return wrong


def _reject_streaming(value: bool) -> None:  # noqa: FBT001  # a validator's signature
    if value:
        message = "must be false: POST /v1/chat/completions streams, and this route does not."
        raise ValidationError([FieldProblem(message, "streaming_unsupported")])


class ChatRequestSchema(StrictSchema):
    """A conversation to continue."""

    messages = MessagesField()
    model = line(
        1,
        256,
        allow_none=True,
        metadata={"description": "The model; the configured one where left out."},
    )
    temperature = Float(
        validate=within(0, 2),
        allow_none=True,
        metadata={
            "default": TEMPERATURE,
            "description": "Left out where it is left out and the model takes none.",
        },
    )
    max_tokens = Integer(validate=within(1), allow_none=True)
    stream = Boolean(
        allow_none=True,
        validate=_reject_streaming,
        metadata={
            "not": {"enum": [True]},  # an enum of false and null stops generators
            "description": "Must be false: this route answers in one piece."
            " `POST /v1/chat/completions` streams.",
        },
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> ModelRequest:
        """Make the request that the service takes; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        given.pop("stream", None)
        model = given.pop("model", None)
        if "temperature" in given:
            return ModelRequest(model, given)
        default = {"temperature": TEMPERATURE}
        return ModelRequest(model, given | default, defaults=frozenset(default))


class AnswerMessageSchema(ma.Schema):
    """The message that the model wrote."""

    role = ma.fields.String(required=True)
    content = ma.fields.String(required=True)


class ChoiceSchema(ma.Schema):
    """One of the completions."""

    index = ma.fields.Integer(required=True)
    message = ma.fields.Nested(AnswerMessageSchema, required=True)
    finish_reason = ma.fields.String(required=True, allow_none=True)


class UsageSchema(ma.Schema):
    """Tokens, as the upstream counted them; null where it did not."""

    prompt_tokens = ma.fields.Integer(required=True, allow_none=True)
    completion_tokens = ma.fields.Integer(required=True, allow_none=True)
    total_tokens = ma.fields.Integer(required=True, allow_none=True)


class FallbackModelSchema(ma.Schema):
    """A model, and the upstream that has it."""

    upstream = ma.fields.String(required=True)
    model = ma.fields.String(required=True)


class FallbackSchema(ma.Schema):
    """A fallback: the requested model, the one that responded instead, and why."""

    asked = ma.fields.Nested(FallbackModelSchema, required=True)
    used = ma.fields.Nested(FallbackModelSchema, required=True)
    reason = ma.fields.String(required=True, metadata={"example": "upstream_unavailable"})


class ChatAnswerSchema(ma.Schema):
    """The conversation's continuation."""

    id = ma.fields.String(required=True)
    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("chat.completion",)))
    created = ma.fields.Integer(required=True)
    model = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The model that answered, as the upstream says."},
    )
    choices = ma.fields.List(ma.fields.Nested(ChoiceSchema), required=True)
    usage = ma.fields.Nested(UsageSchema, required=True)
    fallback = ma.fields.Nested(
        FallbackSchema, metadata={"description": "Only present where a fallback has answered."}
    )


def chat_answer(completion: Completion) -> dict[str, Any]:
    """Return the documented fields of an upstream's completion, and no others."""
    document, usage = completion.document, completion.usage
    counts = (usage.prompt_tokens, usage.completion_tokens)
    answer: dict[str, Any] = {
        "id": document.get("id") or f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": document.get("created") or int(time.time()),
        "model": document.get("model"),
        "choices": [
            {
                "index": choice.get("index", position),
                "message": {
                    "role": choice["message"].get("role", "assistant"),
                    # A string also where the model has written none.
                    "content": choice["message"].get("content") or "",
                },
                "finish_reason": choice.get("finish_reason"),
            }
            for position, choice in enumerate(document["choices"])
        ],
        "usage": {
            "prompt_tokens": counts[0],
            "completion_tokens": counts[1],
            "total_tokens": sum(counts) if None not in counts else None,
        },
    }
    return answer | ({"fallback": document["fallback"]} if "fallback" in document else {})
