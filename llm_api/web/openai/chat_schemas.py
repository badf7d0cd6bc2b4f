"""Request bodies of the chat routes.

Source: https://platform.openai.com/docs/api-reference/chat/create, and for the vendors' own fields
DashScope's and Ark's references.
"""

from llm_api.domain.calls import Operation
from llm_api.web.openai.messages import OpenAIMessagesField
from llm_api.web.openai.schemas import (
    MAX_CHOICES,
    OpenAIRequestSchema,
    model_field,
    stream_options_field,
    top_p_field,
)
from llm_api.web.schema_fields import Boolean, Float, Integer, line, seed_field, within


class OpenAIChatRequestSchema(OpenAIRequestSchema):
    """A conversation to continue, as OpenAI defines it.

    Fields that are not listed, such as `tools`, `response_format`, `service_tier` or
    `chat_template_kwargs`, are passed on unchanged to vendors that take them. What the vendor of
    the model does not take is dropped and named in the header `x-dropped-params`.
    """

    OPERATION = Operation.CHAT

    messages = OpenAIMessagesField()
    stream = Boolean(allow_none=True)
    stream_options = stream_options_field()
    temperature = Float(allow_none=True, validate=within(0, 2))
    top_p = top_p_field()
    presence_penalty = Float(allow_none=True, validate=within(-2, 2))
    frequency_penalty = Float(allow_none=True, validate=within(-2, 2))
    max_tokens = Integer(allow_none=True, validate=within(1))
    max_completion_tokens = Integer(allow_none=True, validate=within(1))
    n = Integer(allow_none=True, validate=within(1, MAX_CHOICES))
    seed = seed_field()
    top_logprobs = Integer(allow_none=True, validate=within(-1))
    logprobs = Boolean(allow_none=True)
    parallel_tool_calls = Boolean(allow_none=True)
    reasoning_effort = line(0, 32, allow_none=True)
    top_k = Integer(allow_none=True, validate=within(-1))
    repetition_penalty = Float(allow_none=True, validate=within(0, 10))
    enable_thinking = Boolean(allow_none=True)
    thinking_budget = Integer(allow_none=True, validate=within(-1))


class EngineChatRequestSchema(OpenAIChatRequestSchema):
    """The same, where the path names the model."""

    model = model_field(allow_none=True)
