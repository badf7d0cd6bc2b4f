"""The routes of Anthropic's Messages API."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from flask import Response

from llm_api.domain.calls import Completion
from llm_api.errors import InvalidRequest
from llm_api.services.chat import AnswerStream
from llm_api.web.anthropic import message_answers, message_events
from llm_api.web.anthropic.message_form import MESSAGE_FORM
from llm_api.web.anthropic.message_schemas import (
    AnthropicMessageSchema,
    TokenCountSchema,
    events_schema,
)
from llm_api.web.anthropic.schemas import (
    AnthropicBlueprint,
    CountTokensRequestSchema,
    MessagesRequest,
    MessagesRequestSchema,
)
from llm_api.web.call_errors import OF_OTHER_KINDS, call_examples
from llm_api.web.dialects import answering
from llm_api.web.dialects.answering import refuses_unknown
from llm_api.web.documented_errors import (
    BODY_ERRORS,
    MODEL_ERRORS,
    MODEL_FORBIDDEN,
    ROUTE_FORBIDDEN,
)
from llm_api.web.idempotency import cached_as
from llm_api.web.request.context import caller, services
from llm_api.web.response.answers import answer_with, json_response
from llm_api.web.response.sse import event_stream

blueprint = AnthropicBlueprint(
    "Anthropic",
    __name__,
    url_prefix="/v1/messages",
    description="For the Anthropic SDKs and Claude Code, in their own shapes.",
)

_CONVERSATION = {
    "model": "smollm2-135m-instruct",
    "messages": [
        {"role": "user", "content": "What is the capital of Italy? Answer in one sentence."}
    ],
}
_EXAMPLE = {**_CONVERSATION, "max_tokens": 40}
_WRONG = InvalidRequest.of_field(
    "temperature", "must be a number from 0 to 2.", reason="out_of_range"
)
_NO_MESSAGES = InvalidRequest.of_field("messages", "is required.", reason="missing")
# Beside those of other routes, the spent budget and the overload have statuses of their own.
_ERRORS = (*MODEL_ERRORS, 402, 529)


@blueprint.post("")
@blueprint.doc(operationId="createMessage")
@blueprint.arguments(MessagesRequestSchema(), example=_EXAMPLE)
@blueprint.response(200, AnthropicMessageSchema())
@blueprint.alt_response(
    200,
    schema=events_schema(),
    content_type="text/event-stream",
    description="A message; with `stream: true`, events of pieces of it.",
    success=True,
)
@blueprint.errors(*_ERRORS, examples=[_WRONG, *call_examples()])
@refuses_unknown
@cached_as(MESSAGE_FORM)
def create_message(body: MessagesRequest) -> Response:
    """Continue a conversation, as Anthropic defines it."""
    result = answering.answer(body)
    dropped = (*body.left_out, *result.report.dropped)
    if body.left_out:
        result = replace(result, report=replace(result.report, dropped=dropped))
    return answer_with(result, _writer(body))


@blueprint.post("/count_tokens")
@blueprint.doc(operationId="countMessageTokens")
@blueprint.arguments(CountTokensRequestSchema(), example=_CONVERSATION)
@blueprint.response(200, TokenCountSchema(), description="An estimate; no model is called.")
@blueprint.errors(
    *BODY_ERRORS, 404, examples=[_NO_MESSAGES, MODEL_FORBIDDEN, ROUTE_FORBIDDEN, *OF_OTHER_KINDS]
)
def count_tokens(body: MessagesRequest) -> Response:
    """Estimate the tokens of a conversation, as the limits of this service do."""
    tokens = services().chat.count_tokens(body.model_request, caller())
    return json_response({"input_tokens": tokens})


def _writer(body: MessagesRequest) -> Callable[[Completion | AnswerStream], Response]:
    return partial(_response, body)


def _response(body: MessagesRequest, answer: Completion | AnswerStream) -> Response:
    if isinstance(answer, AnswerStream):
        return event_stream(answer, message_events.MessageWriter(body))
    return json_response(message_answers.message_of(answer.document, body))
