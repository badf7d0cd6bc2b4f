"""Request bodies of text completions and embeddings.

Sources: https://platform.openai.com/docs/api-reference/completions/create and
https://platform.openai.com/docs/api-reference/embeddings/create
"""

from typing import Any

import marshmallow as ma

from llm_api.domain.calls import Operation
from llm_api.web.openai.schemas import (
    MAX_CHOICES,
    OpenAIRequestSchema,
    stream_options_field,
    top_p_field,
)
from llm_api.web.schema_fields import (
    MAX_INT,
    MESSAGES,
    Boolean,
    Float,
    Integer,
    String,
    one_of,
    seed_field,
    whole,
    within,
    wrong_type,
)

MAX_INPUTS = 2_048

_TOKENS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": MAX_INT},
    "minItems": 1,
}
_FORMS = [
    {"type": "string"},
    {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_INPUTS},
    _TOKENS,
    {"type": "array", "items": _TOKENS, "minItems": 1, "maxItems": MAX_INPUTS},
]


class InputField(ma.fields.Raw):
    """A text, a list of texts, a list of tokens, or a list of such lists."""

    default_error_messages = MESSAGES

    def __init__(self, example: str) -> None:
        """Require one of the four forms; `example` is for the API document."""
        super().__init__(required=True, metadata={"anyOf": _FORMS, "example": example})

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, str):
            return value
        expected = "a string, a list of strings, or a list of tokens"
        if not isinstance(value, list):
            raise wrong_type(expected)
        tokens = _tokens(value)
        if not value or [] in value or (len(value) > MAX_INPUTS and tokens is None):
            raise ma.ValidationError(f"must be {expected}, with 1 to {MAX_INPUTS} items.")
        if tokens is not None or all(isinstance(item, str) for item in value):
            return tokens or value
        lists = [_tokens(item) for item in value]
        if None in lists:
            raise wrong_type(expected)
        return lists


def _tokens(items: Any) -> list[int] | None:
    if not isinstance(items, list):
        return None
    found = [number for item in items if (number := whole(item)) is not None]
    is_all = len(found) == len(items) and all(0 <= number <= MAX_INT for number in found)
    return found if is_all else None


class TextRequestSchema(OpenAIRequestSchema):
    """A text to continue: the older form of completions.

    Fields that are not listed, such as `stop` or `logit_bias`, are passed on unchanged to vendors
    that take them; else they are dropped and named in the header `x-dropped-params`.
    """

    OPERATION = Operation.TEXT

    prompt = InputField("Once upon a time")
    stream = Boolean(allow_none=True)
    stream_options = stream_options_field()
    temperature = Float(allow_none=True, validate=within(0, 2))
    top_p = top_p_field()
    presence_penalty = Float(allow_none=True, validate=within(-2, 2))
    frequency_penalty = Float(allow_none=True, validate=within(-2, 2))
    max_tokens = Integer(allow_none=True, validate=within(1))
    n = Integer(allow_none=True, validate=within(1, MAX_CHOICES))
    best_of = Integer(allow_none=True, validate=within(1, MAX_CHOICES))
    seed = seed_field()
    logprobs = Integer(allow_none=True, validate=within(-1))
    echo = Boolean(allow_none=True)
    suffix = String(allow_none=True)


class EmbeddingsRequestSchema(OpenAIRequestSchema):
    """Texts to turn into vectors.

    Fields that are not listed are passed on to vendors that take them; else they are dropped and
    named in the header `x-dropped-params`.
    """

    OPERATION = Operation.EMBEDDINGS

    input = InputField("a red bicycle")
    dimensions = Integer(allow_none=True, validate=within(1, 65_536))
    encoding_format = String(allow_none=True, validate=one_of(("float", "base64")))
