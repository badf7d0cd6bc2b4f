"""The OpenAI routes."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import marshmallow as ma
from flask import Response, g

from llm_api.domain.calls import CallResult, Completion, Model, Operation
from llm_api.errors import InvalidRequest
from llm_api.services.chat import AnswerStream
from llm_api.web.call_errors import call_examples, text_examples
from llm_api.web.dialects import answering
from llm_api.web.dialects.answering import refuses_unknown
from llm_api.web.dialects.anthropic_models import fields_for_anthropic, page_for_anthropic
from llm_api.web.documented_errors import MODEL_ERRORS, MODEL_FORBIDDEN
from llm_api.web.idempotency import cached
from llm_api.web.openai.answer_schemas import (
    ChatCompletionChunkSchema,
    ChatCompletionSchema,
    EmbeddingListSchema,
    ModelListSchema,
    ModelSchema,
    TextCompletionSchema,
    events_of,
)
from llm_api.web.openai.chat_schemas import EngineChatRequestSchema, OpenAIChatRequestSchema
from llm_api.web.openai.schemas import MODEL_IN_PATH, OpenAIBlueprint, OpenAIRequest
from llm_api.web.openai.text_schemas import EmbeddingsRequestSchema, TextRequestSchema
from llm_api.web.request.context import services
from llm_api.web.response.answers import answers_with, json_response
from llm_api.web.response.sse import ChatWriter, event_stream

blueprint = OpenAIBlueprint(
    "OpenAI", __name__, url_prefix="/v1", description="For the OpenAI SDKs, in their own shapes."
)

P = ParamSpec("P")
T = TypeVar("T")
# A model has no date of birth here, and SDKs want an integer.
_CREATED = 0
# What the docs page offers to send.
_CHAT_EXAMPLE = {
    "model": "smollm2-135m-instruct",
    "messages": [
        {"role": "user", "content": "What is the capital of Italy? Answer in one sentence."}
    ],
    "temperature": 0,
    "max_tokens": 40,
}
_TEXT_EXAMPLE = {
    "model": "smollm2-135m-instruct",
    "prompt": "Once upon a time",
    "max_tokens": 40,
}
_EMBEDDINGS_EXAMPLE = {"model": "text-embedding-v4", "input": "a red bicycle"}
_WRONG_CHAT = InvalidRequest.of_field(
    "temperature", "must be a number from 0 to 2.", reason="out_of_range"
)
_WRONG_TEXT = InvalidRequest.of_field("prompt", "is required.", reason="missing")
_WRONG_INPUT = InvalidRequest.of_field(
    "input",
    "must be a string, a list of strings, or a list of tokens, with 1 to 2048 items.",
    reason="out_of_range",
)


def _also_streamed(chunk: ma.Schema, what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Document that the route answers with events of `what`, too."""
    described: Callable[[Callable[P, T]], Callable[P, T]] = blueprint.alt_response(
        200,
        schema=events_of(chunk),
        content_type="text/event-stream",
        description=f"{what}; with `stream: true`, events of pieces of it.",
        success=True,
    )
    return described


def _response(answer: Completion | AnswerStream) -> Response:
    if isinstance(answer, AnswerStream):
        return event_stream(answer, ChatWriter())
    return json_response(answer.body)


@blueprint.post("/chat/completions")
@blueprint.doc(operationId="createChatCompletion")
@blueprint.arguments(OpenAIChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(200, ChatCompletionSchema())
@_also_streamed(ChatCompletionChunkSchema(), "A `chat.completion` object")
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG_CHAT, *call_examples()])
@refuses_unknown
@cached
@answers_with(_response)
def create_chat_completion(
    body: OpenAIRequest,
) -> CallResult[Completion | AnswerStream]:
    """Continue a conversation, as OpenAI defines it."""
    return answering.answer(body)


@blueprint.post(
    "/engines/<path:engine>/chat/completions",
    parameters=[{"in": "path", "name": "engine", "schema": MODEL_IN_PATH}],
)
@blueprint.doc(operationId="createEngineChatCompletion")
@blueprint.arguments(EngineChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(200, ChatCompletionSchema())
@_also_streamed(ChatCompletionChunkSchema(), "The same as of `/v1/chat/completions`")
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG_CHAT, *call_examples()])
@refuses_unknown
@cached
@answers_with(_response)
def create_engine_chat_completion(
    body: OpenAIRequest,
    engine: str,
) -> CallResult[Completion | AnswerStream]:
    """Continue a conversation; the path names the model, as openai 0.28 does for an engine."""
    return answering.answer(body.of_model(engine))


@blueprint.post("/completions")
@blueprint.doc(operationId="createCompletion")
@blueprint.arguments(TextRequestSchema(), example=_TEXT_EXAMPLE)
@blueprint.response(200, TextCompletionSchema())
@_also_streamed(TextCompletionSchema(), "A `text_completion` object")
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG_TEXT, *text_examples(Operation.TEXT)])
@refuses_unknown
@cached
@answers_with(_response)
def create_completion(
    body: OpenAIRequest,
) -> CallResult[Completion | AnswerStream]:
    """Continue a text, on an upstream that has this older route."""
    return answering.answer(body)


@blueprint.post("/embeddings")
@blueprint.doc(operationId="createEmbeddings")
@blueprint.arguments(EmbeddingsRequestSchema(), example=_EMBEDDINGS_EXAMPLE)
@blueprint.response(200, EmbeddingListSchema(), description="A list of embeddings.")
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG_INPUT, *text_examples(Operation.EMBEDDINGS)])
@refuses_unknown
@cached
@answers_with(_response)
def create_embeddings(
    body: OpenAIRequest,
) -> CallResult[Completion | AnswerStream]:
    """Turn texts into vectors, on an upstream that has embeddings."""
    return answering.answer(body)


@blueprint.get("/models")
@blueprint.doc(operationId="listModels")
@blueprint.response(200, ModelListSchema(), description="The models on offer.")
@blueprint.errors()
def list_models() -> Response:
    """List the models on offer."""
    models = services().catalogue.all_models(g.request_state.key)
    listed = {"object": "list", "data": [_model_object(model) for model in models]}
    return json_response({**listed, **page_for_anthropic(models)})


@blueprint.get("/models/<path:model_id>")
@blueprint.doc(operationId="retrieveModel")
@blueprint.response(200, ModelSchema(), description="The model.")
@blueprint.errors(404, examples=[MODEL_FORBIDDEN])
def retrieve_model(model_id: str) -> Response:
    """Return one model on offer."""
    model = services().catalogue.find(model_id, g.request_state.key)
    return json_response(_model_object(model))


def _model_object(model: Model) -> dict[str, Any]:
    own = {"id": model.id, "object": "model", "created": _CREATED, "owned_by": model.upstream}
    return {**own, **fields_for_anthropic(model)}
