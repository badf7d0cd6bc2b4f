"""What the chat routes take.

Source: https://platform.openai.com/docs/api-reference/chat/create, and for the vendors' own fields
DashScope's and Ark's references.
"""

from llm_api.domain.calls import Operation
from llm_api.web.openai.messages import OpenAIMessagesField
from llm_api.web.openai.schemas import (
    MAX_CHOICES,
    OpenAIRequestSchema,
    StreamOptionsField,
    model_field,
    optional,
)
from llm_api.web.schema_fields import StrictBoolean, StrictInteger, StrictNumber, StrictString


class OpenAIChatRequestSchema(OpenAIRequestSchema):
    """A conversation to continue, as OpenAI defines it.

    `stop`, `logit_bias`, `tools`, `tool_choice`, `response_format`, `functions`, `function_call`
    and `thinking` are passed on as they are; fields that are not known are dropped and named in the
    header `x-dropped-params`.
    """

    OPERATION = Operation.CHAT
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

    messages = OpenAIMessagesField(required=True)
    stream = optional(StrictBoolean())
    stream_options = StreamOptionsField()
    temperature = optional(StrictNumber(minimum=0, maximum=2))
    top_p = optional(StrictNumber(minimum=0, maximum=1, is_open=True))
    presence_penalty = optional(StrictNumber(minimum=-2, maximum=2))
    frequency_penalty = optional(StrictNumber(minimum=-2, maximum=2))
    max_tokens = optional(StrictInteger(minimum=1))
    max_completion_tokens = optional(StrictInteger(minimum=1))
    n = optional(StrictInteger(minimum=1, maximum=MAX_CHOICES))
    seed = optional(StrictInteger(minimum=0))
    top_logprobs = optional(StrictInteger(minimum=0, maximum=20))
    logprobs = optional(StrictBoolean())
    parallel_tool_calls = optional(StrictBoolean())
    reasoning_effort = optional(StrictString(at_most=32, is_printable=True))
    top_k = optional(StrictInteger(minimum=0))
    repetition_penalty = optional(StrictNumber(minimum=0, maximum=10))
    enable_thinking = optional(StrictBoolean())
    thinking_budget = optional(StrictInteger(minimum=0))


class EngineChatRequestSchema(OpenAIChatRequestSchema):
    """The same, where the path names the model."""

    model = optional(model_field(required=False))
