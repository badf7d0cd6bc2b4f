"""What the routes for text completions and embeddings take.

Sources: https://platform.openai.com/docs/api-reference/completions/create and
https://platform.openai.com/docs/api-reference/embeddings/create
"""

from typing import Any

import marshmallow as ma

from llm_api.domain.calls import Operation
from llm_api.web.openai.schemas import (
    MAX_CHOICES,
    OpenAIRequestSchema,
    StreamOptionsField,
    optional,
)
from llm_api.web.schema_fields import (
    MAX_INT,
    MESSAGES,
    StrictBoolean,
    StrictInteger,
    StrictNumber,
    StrictString,
    out_of_range,
    whole,
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

    def __init__(self, **kwargs: Any) -> None:
        """Take marshmallow's options."""
        metadata = {"anyOf": _FORMS} | kwargs.pop("metadata", {})
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:  # noqa: ARG002  # marshmallow's signature
        if isinstance(value, str):
            return value
        right = "a string, a list of strings, or a list of tokens"
        if not isinstance(value, list):
            raise wrong_type(right)
        tokens = _tokens(value)
        if not value or [] in value or (len(value) > MAX_INPUTS and tokens is None):
            raise out_of_range(f"{right}, with 1 to {MAX_INPUTS} items")
        if tokens is not None or all(isinstance(item, str) for item in value):
            return tokens or value
        lists = [_tokens(item) for item in value]
        if None in lists:
            raise wrong_type(right)
        return lists


def _tokens(items: Any) -> list[int] | None:
    if not isinstance(items, list):
        return None
    found = [number for item in items if (number := whole(item)) is not None]
    is_all = len(found) == len(items) and all(0 <= number <= MAX_INT for number in found)
    return found if is_all else None


class TextRequestSchema(OpenAIRequestSchema):
    """A text to continue: the older form of completions.

    Fields that are not known are dropped and named in the header `x-dropped-params`.
    """

    OPERATION = Operation.TEXT
    PASSED_THROUGH = frozenset(["stop", "logit_bias"])

    prompt = InputField(required=True, metadata={"example": "Once upon a time"})
    stream = optional(StrictBoolean())
    stream_options = StreamOptionsField()
    temperature = optional(StrictNumber(minimum=0, maximum=2))
    top_p = optional(StrictNumber(minimum=0, maximum=1, is_open=True))
    presence_penalty = optional(StrictNumber(minimum=-2, maximum=2))
    frequency_penalty = optional(StrictNumber(minimum=-2, maximum=2))
    max_tokens = optional(StrictInteger(minimum=1))
    n = optional(StrictInteger(minimum=1, maximum=MAX_CHOICES))
    best_of = optional(StrictInteger(minimum=1, maximum=MAX_CHOICES))
    seed = optional(StrictInteger(minimum=0))
    logprobs = optional(StrictInteger(minimum=0, maximum=20))
    echo = optional(StrictBoolean())
    suffix = optional(StrictString())


class EmbeddingsRequestSchema(OpenAIRequestSchema):
    """Texts to turn into vectors.

    Fields that are not known are dropped and named in the header `x-dropped-params`.
    """

    OPERATION = Operation.EMBEDDINGS

    input = InputField(required=True, metadata={"example": "a red bicycle"})
    dimensions = optional(StrictInteger(minimum=1, maximum=65_536))
    encoding_format = optional(StrictString(choices=("float", "base64")))
