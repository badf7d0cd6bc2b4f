"""OpenAI's Responses API, without a memory: each request has the whole conversation."""

from functools import partial

from flask import Response

from llm_api.domain.calls import Completion, ModelRequest, Operation
from llm_api.errors import InvalidRequest
from llm_api.services.chat import AnswerStream
from llm_api.web.call_errors import call_examples
from llm_api.web.dialects.answering import answer, refuses_unknown
from llm_api.web.documented_errors import MODEL_ERRORS
from llm_api.web.idempotency import cached_as
from llm_api.web.openai.responses import passed_events, response_events, response_object
from llm_api.web.openai.responses.agents import fails_for_codex
from llm_api.web.openai.responses.failures import RESPONSES_FORM
from llm_api.web.openai.responses.input.schemas import ResponsesRequest, ResponsesRequestSchema
from llm_api.web.openai.responses.response_schemas import ResponseSchema, events_schema
from llm_api.web.openai.schemas import OpenAIBlueprint
from llm_api.web.request.context import caller, services
from llm_api.web.response.answers import answer_with, json_response
from llm_api.web.response.sse import event_stream

blueprint = OpenAIBlueprint(
    "OpenAI responses",
    __name__,
    url_prefix="/v1/responses",
    description="OpenAI's Responses API, over every model that has chats.",
)

# What the docs page offers to send.
_EXAMPLE = {
    "model": "smollm2-135m-instruct",
    "input": "What is the capital of Italy? Answer in one sentence.",
    "max_output_tokens": 40,
}
_WRONG = InvalidRequest.of_field(
    "max_output_tokens", "must be an integer from 1 to 2147483647.", reason="out_of_range"
)


@blueprint.post("")
@blueprint.doc(operationId="createResponse")
@blueprint.arguments(ResponsesRequestSchema(), example=_EXAMPLE)
@blueprint.response(200, ResponseSchema())
@blueprint.alt_response(
    200,
    schema=events_schema(),
    content_type="text/event-stream",
    description="A `response` object; with `stream: true`, events that tell how it comes to be.",
    success=True,
)
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG, *call_examples(Operation.RESPONSES)])
@refuses_unknown
@fails_for_codex
@cached_as(RESPONSES_FORM)
def create_response(body: ResponsesRequest) -> Response:
    """Answer, as OpenAI's Responses API defines it."""
    keep = partial(services().items.keep, caller().name) if body.keeps_items else None
    return answer_with(answer(body), partial(_written, body, keep))


def _written(
    body: ResponsesRequest,
    keep: "response_events.KeepItems | None",
    answer: Completion | AnswerStream,
) -> Response:
    if answer.operation is Operation.RESPONSES:
        return _passed(body.model_request, keep, answer)
    request, tools, echo = body.model_request, body.tools, body.echo
    if isinstance(answer, AnswerStream):
        return event_stream(answer, response_events.ResponseWriter(request, tools, echo, keep))
    response = response_object.ResponseObject(request, tools, echo)
    document = response.of_whole(answer.document, answer.usage)
    if keep is not None:
        keep(document["output"])
    return json_response(document)


def _passed(
    request: ModelRequest,
    keep: "response_events.KeepItems | None",
    answer: Completion | AnswerStream,
) -> Response:
    """Pass on what an upstream has answered that has this API itself."""
    if isinstance(answer, AnswerStream):
        return event_stream(answer, passed_events.PassedWriter(request, keep))
    document = passed_events.with_usage(answer.document, request)
    if keep is not None:
        keep(document["output"])
    return json_response(answer.body if document is answer.document else document)
