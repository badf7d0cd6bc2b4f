"""Fields of a request that are objects, and those that only OpenAI could fulfil."""

from typing import Any, ClassVar

import marshmallow as ma

from llm_api.web.openai.messages import rule_of
from llm_api.web.schema_fields import (
    MESSAGES_OF_SCHEMAS,
    Boolean,
    FieldProblem,
    Object,
    ShortList,
    String,
    line,
    one_of,
)

JSON_SCHEMA = "json_schema"
_FORMATS = ("text", "json_object", JSON_SCHEMA)
_MAX_INCLUDED = 64


class OpenObjectSchema(ma.Schema):
    """An object of which some fields are looked at."""

    error_messages = MESSAGES_OF_SCHEMAS

    class Meta:
        """Marshmallow's options."""

        unknown = ma.INCLUDE


class ResponsesFormatSchema(OpenObjectSchema):
    """The form of the answer's text; `json_schema` needs a name and a schema."""

    class Meta:
        """Marshmallow's options, and the rules that fields cannot say, for the API document."""

        unknown = ma.INCLUDE
        rules: ClassVar[dict[str, Any]] = rule_of(
            [JSON_SCHEMA],
            {
                "required": ["name", "schema"],
                "properties": {"name": {"type": "string"}, "schema": {"type": "object"}},
            },
        )

    type = String(required=True, validate=one_of(_FORMATS))
    name = String(allow_none=True)
    schema = Object(allow_none=True)
    description = String(allow_none=True)
    strict = Boolean(allow_none=True)

    @ma.validates_schema
    def check(self, document: dict[str, Any], **_: Any) -> None:
        """Require what a schema needs."""
        if document["type"] == JSON_SCHEMA:
            for name in ("name", "schema"):
                if document.get(name) is None:
                    raise ma.ValidationError([FieldProblem("is required.", "missing")], name)


class ResponsesTextSchema(OpenObjectSchema):
    """What the text of the answer is like."""

    format = ma.fields.Nested(ResponsesFormatSchema, allow_none=True)
    verbosity = line(0, 32, allow_none=True)


class ResponsesReasoningSchema(OpenObjectSchema):
    """How much a model thinks."""

    effort = line(0, 32, allow_none=True)
    summary = line(0, 32, allow_none=True)


class ResponsesStreamOptionsSchema(OpenObjectSchema):
    """Options of a stream, none of which changes it here."""

    include_obfuscation = Boolean(allow_none=True)


def include_field() -> ShortList:
    """Make the field of `include`: names of what an answer should have beside the usual."""
    return ShortList(String(), at_most=_MAX_INCLUDED, allow_none=True)


class AbsentField(ma.fields.Raw):
    """A field that may have no other value than `values` or null, for what is not kept here."""

    def __init__(self, instead: str, *values: Any) -> None:
        """Refuse other values with the sentence `instead`, which says what to do."""
        described = {"enum": [*values, None], "description": f"Anything else {instead}"}
        super().__init__(allow_none=True, metadata=described)
        self._values, self._instead = values, instead

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        # 0 is not false.
        if any(value is allowed for allowed in self._values):
            return value
        raise ma.ValidationError([FieldProblem(self._instead, "not_supported")])
