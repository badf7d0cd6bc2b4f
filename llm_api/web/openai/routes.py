"""The OpenAI routes."""

from functools import partial
from typing import Any

from flask import Response, current_app, g

from llm_api.domain.calls import Model
from llm_api.errors import InvalidRequest
from llm_api.web.idempotency import answered_once
from llm_api.web.openai.chat_schemas import EngineChatRequestSchema, OpenAIChatRequestSchema
from llm_api.web.openai.schemas import (
    MODEL_IN_PATH,
    AnswerSchema,
    ModelListSchema,
    ModelSchema,
    OpenAIBlueprint,
    OpenAIRequest,
)
from llm_api.web.openai.text_schemas import EmbeddingsRequestSchema, TextRequestSchema
from llm_api.web.request.context import caller, services
from llm_api.web.response.errors import json_response
from llm_api.web.response.headers import header_safe, noted
from llm_api.web.response.sse import event_stream
from llm_api.web.schema_fields import UNKNOWN
from llm_api.web.smorest import MODEL_ERRORS

blueprint = OpenAIBlueprint(
    "OpenAI", __name__, url_prefix="/v1", description="For the OpenAI SDKs, in their own shapes."
)

STRICT_SETTING = "REFUSE_UNKNOWN_PARAMETERS"
# A model has no date of birth here, and SDKs want an integer.
_CREATED = 0
# What the docs page offers to send.
_CHAT_EXAMPLE = {
    "model": "smollm2-135m-instruct",
    "messages": [{"role": "user", "content": "Tell me a joke"}],
    "max_tokens": 40,
}
_TEXT_EXAMPLE = {
    "model": "smollm2-135m-instruct",
    "prompt": "Once upon a time",
    "max_tokens": 40,
}
_also_streamed = blueprint.alt_response(
    200, schema={}, content_type="text/event-stream", success=True
)
_EMBEDDINGS_EXAMPLE = {"model": "text-embedding-v4", "input": "a red bicycle"}


@blueprint.post("/chat/completions")
@blueprint.arguments(OpenAIChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(
    200,
    AnswerSchema(),
    description="A `chat.completion` object; with `stream: true`, events of chunks of it.",
)
@_also_streamed
@blueprint.errors(*MODEL_ERRORS)
def create_chat_completion(body: OpenAIRequest) -> Response:
    """Continue a conversation, as OpenAI defines it."""
    return _answer(body)


@blueprint.post(
    "/engines/<path:engine>/chat/completions",
    parameters=[{"in": "path", "name": "engine", "schema": MODEL_IN_PATH}],
)
@blueprint.arguments(EngineChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(200, AnswerSchema(), description="The same as `/v1/chat/completions`.")
@_also_streamed
@blueprint.errors(*MODEL_ERRORS)
def create_engine_chat_completion(body: OpenAIRequest, engine: str) -> Response:
    """Continue a conversation; the path names the model, as openai 0.28 does for an engine."""
    return _answer(body.of_model(engine))


@blueprint.post("/completions")
@blueprint.arguments(TextRequestSchema(), example=_TEXT_EXAMPLE)
@blueprint.response(
    200,
    AnswerSchema(),
    description="A `text_completion` object; with `stream: true`, events of parts of it.",
)
@_also_streamed
@blueprint.errors(*MODEL_ERRORS)
def create_completion(body: OpenAIRequest) -> Response:
    """Continue a text, on an upstream that has this older route."""
    return _answer(body)


@blueprint.post("/embeddings")
@blueprint.arguments(EmbeddingsRequestSchema(), example=_EMBEDDINGS_EXAMPLE)
@blueprint.response(200, AnswerSchema(), description="A list of embeddings.")
@blueprint.errors(*MODEL_ERRORS)
def create_embeddings(body: OpenAIRequest) -> Response:
    """Turn texts into vectors, on an upstream that has embeddings."""
    return _answer(body)


@blueprint.get("/models")
@blueprint.response(200, ModelListSchema(), description="The models on offer.")
@blueprint.errors()
def list_models() -> Response:
    """List the models on offer."""
    models = [_model_object(model) for model in services().catalogue.models(g.key)]
    return json_response({"object": "list", "data": models})


@blueprint.get("/models/<path:model_id>")
@blueprint.response(200, ModelSchema(), description="The model.")
@blueprint.errors(404)
def retrieve_model(model_id: str) -> Response:
    """Return one model on offer."""
    return json_response(_model_object(services().catalogue.model(model_id, g.key)))


def _model_object(model: Model) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": _CREATED, "owned_by": model.upstream}


def _answer(body: OpenAIRequest) -> Response:
    """Ask the model, once for all repeats of a request."""
    # `metadata` is known, although no upstream gets it.
    unknown = [name for name in body.dropped if name != "metadata"]
    if unknown and current_app.config[STRICT_SETTING]:
        raise InvalidRequest.of_field(header_safe(unknown[0]), UNKNOWN, reason="unknown_field")
    return answered_once(partial(_ask, body))


def _ask(body: OpenAIRequest) -> Response:
    chat = services().chat
    if body.is_streamed:
        g.is_streamed = True
        answer = chat.stream(body.model_request, caller(), shows_usage=body.shows_usage)
        response = event_stream(answer)
    else:
        response = json_response(chat.complete(body.model_request, caller()).body)
    return noted(response, body.dropped)
