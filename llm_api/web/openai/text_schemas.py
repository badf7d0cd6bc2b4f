"""What the routes for text completions and embeddings take.

Sources: https://platform.openai.com/docs/api-reference/completions/create and
https://platform.openai.com/docs/api-reference/embeddings/create
"""

from typing import Any

import marshmallow as ma

from llm_api.domain import Operation
from llm_api.web.fields import (
    MESSAGES,
    StrictBoolean,
    StrictInteger,
    StrictNumber,
    StrictString,
    out_of_range,
    wrong_type,
)
from llm_api.web.openai.schemas import (
    MAX_CHOICES,
    OpenAIRequestSchema,
    StreamOptionsField,
    optional,
)

MAX_INPUTS = 2_048


class InputField(ma.fields.Raw):
    """A text, a list of texts, a list of tokens, or a list of such lists."""

    default_error_messages = MESSAGES

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Any:  # noqa: ARG002  # marshmallow's signature
        if isinstance(value, str):
            return value
        right = "a string, a list of strings, or a list of tokens"
        if not isinstance(value, list):
            raise wrong_type(right)
        tokens = _are_all(value, int)
        if not value or [] in value or (len(value) > MAX_INPUTS and not tokens):
            raise out_of_range(f"{right}, with 1 to {MAX_INPUTS} items")
        if not (tokens or _are_all(value, str) or all(map(_is_token_list, value))):
            raise wrong_type(right)
        return value


def _are_all(items: list[Any], kind: type) -> bool:
    return all(type(item) is kind for item in items)


def _is_token_list(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and _are_all(item, int)


class TextRequestSchema(OpenAIRequestSchema):
    """A text to continue: the older form of completions.

    Fields that are not known are dropped and named in the header `x-dropped-params`.
    """

    OPERATION = Operation.TEXT
    PASSED_THROUGH = frozenset(["stop", "logit_bias"])

    prompt = InputField(required=True, metadata={"example": "Once upon a time"})
    stream = optional(StrictBoolean())
    stream_options = StreamOptionsField(allow_none=True)
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
