"""Request bodies of `/v1/messages`, which become chat requests, and the shape of its errors.

Sources: https://platform.claude.com/docs/en/api/messages, …/messages-count-tokens and …/errors, and
the types of the anthropic package 2.14.0.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import marshmallow as ma

from llm_api.domain.calls import ModelRequest
from llm_api.services.quotas.estimates import estimate_chat
from llm_api.upstream.vendors.thinking import WORDS
from llm_api.web.anthropic import block_shapes, chat_turns
from llm_api.web.anthropic.shapes import ShapeField
from llm_api.web.anthropic.tool_functions import ToolForms, tool_forms
from llm_api.web.openai.schemas import OpenAIRequest
from llm_api.web.schema_fields import Boolean, Float, Integer, line, within
from llm_api.web.smorest import CODES, Blueprint, ErrorDetailsSchema, StrictSchema

# Of Anthropic's own servers and accounts: nothing of it can be said to another model.
_OF_ANTHROPIC = frozenset(
    [
        *("betas", "billing_policy", "compaction", "container", "context_management"),
        *("diagnostics", "fallback_credit_token", "fallbacks", "inference_geo", "mcp_servers"),
        *("prefill", "service_tier", "speed", "thread", "user_profile_id", "workspace_id"),
    ]
)
# Hints of which nothing is lost.
_IGNORED = frozenset(["cache_control", "anthropic_version"])
# A chat request's own, which are made of other fields here, or would change the form of the answer.
_OF_CHATS = frozenset(
    [
        *("best_of", "function_call", "functions", "input", "logprobs", "max_completion_tokens"),
        *("n", "parallel_tool_calls", "prompt", "response_format", "stop", "store"),
        *("stream_options", "top_logprobs"),
    ]
)
# What models are free not to take: Claude Code sends them with every request.
_HINTS = WORDS | {"user"}
_MAX_USER = 64  # of OpenAI; Zhipu and Ark take 128
_FORMAT_NAME = "answer"


@dataclass(frozen=True, slots=True)
class MessagesRequest(OpenAIRequest):
    """A valid request, as a chat request.

    `left_out` is named to the caller, and is no error where unknown fields are one. `stops` are its
    stop sequences, `names` its tools' own names by those that were shortened. `shows_thinking`:
    whether it gets what the model thinks.
    """

    # Where in messages and tools something is, is another place in a chat.
    FIELD_NAMES: ClassVar[Mapping[str, str]] = {
        "messages": "messages",
        "tools": "tools",
        "tool_choice": "tool_choice",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "response_format": "output_config.format",
        "reasoning_effort": "output_config.effort",
        "stop": "stop_sequences",
        "user": "metadata.user_id",
    }

    left_out: tuple[str, ...]
    stops: tuple[str, ...]
    names: Mapping[str, str]
    shows_thinking: bool

    @property
    def input_tokens(self) -> int:
        """The tokens that it has, as this service estimates them."""
        return estimate_chat(self.model_request.parameters).prompt_tokens


class AnthropicErrorDetailsSchema(ErrorDetailsSchema):
    """Details of an error for which Anthropic's format has no field."""

    error_code = ma.fields.String(
        required=True, metadata={"description": "The reason, by Anthropic's name."}
    )
    code = ma.fields.String(required=True, metadata={"enum": list(CODES)})


class AnthropicErrorBodySchema(ma.Schema):
    """An error in Anthropic's format, with our details."""

    type = ma.fields.String(required=True, metadata={"example": "invalid_request_error"})
    message = ma.fields.String(required=True)
    details = ma.fields.Nested(AnthropicErrorDetailsSchema, required=True)


class AnthropicErrorSchema(ma.Schema):
    """The envelope of every error under `/v1/messages`."""

    type = ma.fields.String(required=True, validate=ma.validate.OneOf(["error"]))
    error = ma.fields.Nested(AnthropicErrorBodySchema, required=True)
    request_id = ma.fields.String(required=True)


class AnthropicBlueprint(Blueprint):
    """A blueprint whose errors are in Anthropic's format."""

    ERROR_SCHEMA = AnthropicErrorSchema()


class CountTokensRequestSchema(StrictSchema):
    """A conversation whose tokens are to be counted."""

    class Meta:
        """Marshmallow's options: `make` adds the fields that are not declared."""

        unknown = ma.EXCLUDE

    model = line(1, 256, required=True)
    messages = ShapeField(block_shapes.MESSAGES, required=True)
    system = ShapeField(block_shapes.SYSTEM, allow_none=True)
    tools = ShapeField(
        block_shapes.TOOLS,
        allow_none=True,
        description="Those with an `input_schema`; others are left out and named.",
    )
    tool_choice = ShapeField(block_shapes.TOOL_CHOICE, allow_none=True)
    thinking = ShapeField(block_shapes.THINKING, allow_none=True)
    output_config = ShapeField(block_shapes.OUTPUT_CONFIG, allow_none=True)

    @ma.post_load(pass_original=True)
    def make(self, document: dict[str, Any], original: Any, **_: Any) -> MessagesRequest:
        """Make the request that the service takes; null means left out. Raises InvalidRequest."""
        given = {name: value for name, value in document.items() if value is not None}
        others = [n for n, v in original.items() if v is not None and n not in self.fields]
        tools = tool_forms(given.get("tools", ()), given.get("tool_choice"))
        untyped = tuple(n for n in others if n not in _OF_ANTHROPIC | _IGNORED | _OF_CHATS)
        parameters = {name: original[name] for name in untyped} | _parameters(given, tools)
        left_out = (
            *(f"tools.{kind}" for kind in tools.left_out),
            *(f"messages.{kind}" for kind in chat_turns.left_out_blocks(given["messages"])),
            *(name for name in others if name in _OF_ANTHROPIC),
        )
        return MessagesRequest(
            _model_request(given["model"], parameters),
            untyped,
            tuple(name for name in others if name in _OF_CHATS),
            is_streamed=bool(given.get("stream")),
            shows_usage=True,
            left_out=left_out,
            stops=tuple(given.get("stop_sequences", ())),
            names=tools.names,
            shows_thinking=_shows_thinking(given.get("thinking")),
        )


class MessagesRequestSchema(CountTokensRequestSchema):
    """A conversation to continue, as Anthropic defines it.

    Fields that are not listed are passed on unchanged to vendors that take them, as on
    `/v1/chat/completions`. What is of Anthropic's own servers, such as `container` or
    `context_management`, is left out and named in the header `x-dropped-params`.
    """

    max_tokens = Integer(required=True, validate=within(1))
    stream = Boolean(allow_none=True)
    stop_sequences = ShapeField(block_shapes.STOP_SEQUENCES, allow_none=True)
    temperature = Float(allow_none=True, validate=within(0, 2))
    top_p = Float(allow_none=True, validate=within(0, 1))
    top_k = Integer(allow_none=True, validate=within(-1))
    metadata = ShapeField(block_shapes.METADATA, allow_none=True)


def _model_request(model: str, parameters: Mapping[str, Any]) -> ModelRequest:
    messages = parameters["messages"]
    contents = [one["content"] for one in messages if isinstance(one["content"], list)]
    return ModelRequest(
        model,
        parameters,
        defaults=frozenset(_HINTS),
        has_thoughts=any("reasoning_content" in message for message in messages),
        has_files=any(part["type"] == "file" for content in contents for part in content),
    )


def _parameters(given: Mapping[str, Any], tools: ToolForms) -> dict[str, Any]:
    """Return the fields of the chat request that says the same."""
    same = ("max_tokens", "temperature", "top_p", "top_k")
    return {
        "messages": chat_turns.chat_messages(given.get("system"), given["messages"]),
        **{name: given[name] for name in same if name in given},
        **({"stop": given["stop_sequences"]} if given.get("stop_sequences") else {}),
        **tools.fields,
        **_thinking(given.get("thinking")),
        **_output(given.get("output_config") or {}),
        **_user(given.get("metadata") or {}),
    }


def _thinking(thinking: Mapping[str, Any] | None) -> dict[str, Any]:
    if thinking is None:
        return {}
    kind = "adaptive" if thinking["type"] == "between_tools" else thinking["type"]
    budget = {"budget_tokens": thinking["budget_tokens"]} if kind == "enabled" else {}
    return {"thinking": {"type": kind, **budget}}


def _shows_thinking(thinking: Mapping[str, Any] | None) -> bool:
    """Whether thoughts go into the answer.

    A caller that says nothing of them does not look for text behind the first block.
    """
    is_asked = thinking is not None and thinking["type"] != "disabled"
    return is_asked and (thinking or {}).get("display") != "omitted"


def _output(config: Mapping[str, Any]) -> dict[str, Any]:
    fields = {}
    if (form := config.get("format")) is not None:
        schema = {"name": _FORMAT_NAME, "schema": form["schema"], "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    if (effort := config.get("effort")) is not None:
        fields["reasoning_effort"] = effort
    return fields


def _user(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return who the end user is; Claude Code's name for one is longer than vendors allow."""
    user: str = metadata.get("user_id") or ""
    if len(user) > _MAX_USER:
        user = hashlib.sha256(user.encode()).hexdigest()
    return {"user": user} if user else {}
