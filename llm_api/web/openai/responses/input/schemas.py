"""Bodies of `POST /v1/responses`, and the requests that they are.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import marshmallow as ma

from llm_api.domain.calls import ModelRequest, Operation
from llm_api.domain.responses_form import ResponsesForm
from llm_api.errors import InvalidRequest
from llm_api.web.openai.responses.input import conversation as talks
from llm_api.web.openai.responses.input.echoes import echo_of
from llm_api.web.openai.responses.input.fields import (
    JSON_SCHEMA,
    AbsentField,
    ResponsesReasoningSchema,
    ResponsesStreamOptionsSchema,
    ResponsesTextSchema,
    include_field,
)
from llm_api.web.openai.responses.input.item_checks import InputField
from llm_api.web.openai.responses.input.resolving import whole_items
from llm_api.web.openai.responses.input.tool_forms import ToolForms, tool_forms
from llm_api.web.openai.responses.input.tool_names import ToolNames
from llm_api.web.openai.responses.input.tool_schemas import (
    MAX_TOOLS,
    ToolChoiceField,
    ToolsField,
)
from llm_api.web.openai.schemas import (
    READ,
    OpenAIRequest,
    OpenAIRequestSchema,
    labels_field,
    top_p_field,
)
from llm_api.web.schema_fields import Boolean, Float, Integer, String, line, one_of, within

_MAX_OFFERED = 4 * MAX_TOOLS
_LOGPROBS = "message.output_text.logprobs"
_NO_RESPONSES = (
    "is not supported: no answer is kept to go on from. Send the whole conversation in input"
    " (store: false makes most clients do that)."
)
_NO_CONVERSATIONS = (
    "is not supported: no conversation is kept here. Send the whole conversation in input."
)
_NO_PROMPTS = (
    "is not supported: there are no templates of prompts here. Send the text in instructions or"
    " input."
)
_NO_BACKGROUND = (
    "must be false: answers are not made in the background here. Wait for the answer, or send"
    " stream: true."
)
# The same in a chat, by its name there.
_SAME = {
    **{name: name for name in ("temperature", "top_p", "user", "safety_identifier")},
    **{name: name for name in ("prompt_cache_key", "service_tier")},
    # Servers that know one name alone know this one; vendors' profiles have their own.
    "max_output_tokens": "max_tokens",
}
# Of OpenAI's own API, and Codex's `client_metadata`: no chat has anything like them.
_LOST = (
    *("client_metadata", "context_management", "background_options", "access_programs", "image"),
)
# What a chat calls by these names is said by other fields here.
_OF_CHATS = READ | {"response_format", "functions", "function_call", "logprobs", "verbosity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesRequest(OpenAIRequest):
    """A request to the Responses API, in the form of a chat and as it came.

    Args:
        echo: the fields of an answer that its request decides.
        tools: which of the client's tools the model's calls are for.
        keeps_items: whether the answer's items may be kept, to be referred to.
    """

    FIELD_NAMES: ClassVar[Mapping[str, str]] = {
        "messages": "input",
        **dict.fromkeys(("max_tokens", "max_completion_tokens"), "max_output_tokens"),
        "response_format": "text.format",
        "reasoning_effort": "reasoning.effort",
        "verbosity": "text.verbosity",
        "logprobs": "top_logprobs",
    }

    echo: Mapping[str, Any]
    tools: ToolNames
    keeps_items: bool


class ResponsesRequestSchema(OpenAIRequestSchema):
    """A conversation to continue, as OpenAI's Responses API has it.

    Nothing is kept but the items of answers, for an hour, so that the next request may refer to
    them. Fields that are not listed are passed on to vendors that take them; those that nobody
    takes, and tools that only OpenAI can run, are left out and named in the header
    `x-dropped-params`.
    """

    OPERATION = Operation.CHAT

    input = InputField()
    instructions = String(allow_none=True)
    stream = Boolean(allow_none=True)
    stream_options = ma.fields.Nested(ResponsesStreamOptionsSchema, allow_none=True)
    tools = ToolsField()
    tool_choice = ToolChoiceField()
    parallel_tool_calls = Boolean(allow_none=True)
    max_tool_calls = Integer(allow_none=True, validate=within(0))
    text = ma.fields.Nested(ResponsesTextSchema, allow_none=True)
    reasoning = ma.fields.Nested(ResponsesReasoningSchema, allow_none=True)
    include = include_field()
    max_output_tokens = Integer(allow_none=True, validate=within(1))
    temperature = Float(allow_none=True, validate=within(0, 2))
    top_p = top_p_field()
    top_logprobs = Integer(allow_none=True, validate=within(0))
    metadata = labels_field("Repeated in the answer.")
    service_tier = line(0, 64, allow_none=True)
    safety_identifier = line(0, 512, allow_none=True)
    prompt_cache_key = line(0, 512, allow_none=True)
    truncation = String(
        allow_none=True,
        validate=one_of(("auto", "disabled")),
        metadata={"description": "auto is left out: nothing is cut from a conversation."},
    )
    store = Boolean(
        allow_none=True,
        metadata={"description": "false: not even its items are kept. No answer is, in any case."},
    )
    previous_response_id = AbsentField(_NO_RESPONSES)
    conversation = AbsentField(_NO_CONVERSATIONS)
    prompt = AbsentField(_NO_PROMPTS)
    background = AbsentField(_NO_BACKGROUND, False)  # noqa: FBT003  # the value, not a switch

    @ma.post_load(pass_original=True)
    def make(self, document: dict[str, Any], original: Any, **_: Any) -> ResponsesRequest:
        """Make the request that the service takes; null means left out.

        Raises:
            InvalidRequest: calls and outputs do not fit, or a tool is chosen that is not there.
            NotFound: an item or a file that it refers to is not there.
        """
        said = {name: value for name, value in document.items() if value is not None}
        said["input"] = whole_items(said["input"])
        others = [
            name
            for name, value in original.items()
            if value is not None and name not in self.fields and name not in _LOST
        ]
        untyped = tuple(name for name in others if name not in _OF_CHATS)
        request, forms = _model_request(said, original, untyped)
        return ResponsesRequest(
            request,
            untyped,
            tuple(name for name in others if name in _OF_CHATS),
            is_streamed=bool(said.get("stream")),
            shows_usage=True,
            echo=echo_of(said, forms.kept),
            tools=forms.names,
            keeps_items=said.get("store") is not False,
        )


def _model_request(
    said: Mapping[str, Any], original: Mapping[str, Any], untyped: Sequence[str]
) -> tuple[ModelRequest, ToolForms]:
    """Put a request into the form of a chat; `untyped` are fields that were not looked at."""
    offered = [*said.get("tools", ()), *talks.more_tools(said["input"])]
    if len(offered) > _MAX_OFFERED:
        message = f"must be at most {_MAX_OFFERED} with those of input."
        raise InvalidRequest.of_field("tools", message, reason="out_of_range")
    is_parallel = said.get("parallel_tool_calls")
    forms = tool_forms(offered, said.get("tool_choice"), is_parallel=is_parallel)
    talk = talks.conversation_of(said["input"], said.get("instructions"), forms.names)
    parameters = {
        "messages": talk.messages,
        **{name: original[name] for name in untyped},
        **forms.parameters,
        **_chat_parameters(said),
    }
    request = ModelRequest(
        said["model"],
        parameters,
        responses=_own_form(original, said, talk, forms),
        has_thoughts=talk.has_thoughts,
        has_files=talk.has_files,
    )
    return request, forms


def _chat_parameters(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a chat says of an answer, beside its messages and tools."""
    parameters = {_SAME[own]: value for own, value in said.items() if own in _SAME}
    top = said.get("top_logprobs")
    if top or _LOGPROBS in said.get("include", ()):
        parameters |= {"logprobs": True, **({"top_logprobs": top} if top else {})}
    if (text := said.get("text")) is not None:
        if (verbosity := text.get("verbosity")) is not None:
            parameters["verbosity"] = verbosity
        if (form := _response_format(text.get("format"))) is not None:
            parameters["response_format"] = form
    reasoning = said.get("reasoning")
    if reasoning is not None and reasoning.get("effort") is not None:
        parameters["reasoning_effort"] = reasoning["effort"]
    return parameters


def _response_format(form: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the form of the answer's text as a chat has it; None for a text."""
    if form is None or form["type"] == "text":
        return None
    if form["type"] != JSON_SCHEMA:
        return {"type": form["type"]}
    names = ("name", "description", "schema", "strict")
    schema = {name: form[name] for name in names if form.get(name) is not None}
    return {"type": JSON_SCHEMA, JSON_SCHEMA: schema}


def _own_form(
    original: Mapping[str, Any],
    said: Mapping[str, Any],
    talk: "talks.Conversation",
    forms: ToolForms,
) -> ResponsesForm:
    """Return the request as it came, with what it refers to in it."""
    own = {
        name: value
        for name, value in original.items()
        if value is not None and name not in {"model", "stream"}
    }
    own["input"] = said["input"]
    lost = [name for name in _LOST if name in own]
    if said.get("truncation") == "auto":
        lost.append("truncation")
    return ResponsesForm(own, (*forms.lost, *talk.lost, *lost), forms.refusal or talk.refusal)
