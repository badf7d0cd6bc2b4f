"""The OpenAI routes."""

from typing import Any

from flask import Response

from llm_api.domain import Completion, Model
from llm_api.web.api import Blueprint
from llm_api.web.context import caller, services
from llm_api.web.envelopes import json_response
from llm_api.web.openai.schemas import (
    OpenAIChatRequest,
    OpenAIChatRequestSchema,
    OpenAIErrorSchema,
)

blueprint = Blueprint(
    "OpenAI", __name__, url_prefix="/v1", description="For the OpenAI SDKs, in their own shapes."
)

# A model has no date of birth here, and SDKs want an integer.
_CREATED = 0
_MAX_NAMED = 20
# What the docs page offers to send.
_EXAMPLE = {
    "model": "smollm2-135m-instruct",
    "messages": [{"role": "user", "content": "Tell me a joke"}],
    "max_tokens": 40,
}


@blueprint.post("/chat/completions")
@blueprint.arguments(OpenAIChatRequestSchema(), example=_EXAMPLE)
@blueprint.response(200, description="A `chat.completion` object, as the upstream sent it.")
@blueprint.alt_response(400, schema=OpenAIErrorSchema(), description="A wrong request.")
@blueprint.alt_response("default", schema=OpenAIErrorSchema(), description="An error.")
def create_chat_completion(body: OpenAIChatRequest) -> Response:
    """Continue a conversation, as OpenAI defines it."""
    return _passed_on(services().chat.complete(body.chat, caller()), body.dropped)


@blueprint.get("/models")
@blueprint.response(200, description="The models on offer.")
@blueprint.alt_response("default", schema=OpenAIErrorSchema(), description="An error.")
def list_models() -> Response:
    """List the models on offer."""
    models = [_model_object(model) for model in services().catalogue.models()]
    return json_response({"object": "list", "data": models})


@blueprint.get("/models/<path:model_id>")
@blueprint.response(200, description="The model.")
@blueprint.alt_response("default", schema=OpenAIErrorSchema(), description="An error.")
def retrieve_model(model_id: str) -> Response:
    """Return one model on offer."""
    return json_response(_model_object(services().catalogue.model(model_id)))


def _model_object(model: Model) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": _CREATED, "owned_by": model.upstream}


def _passed_on(completion: Completion, dropped: tuple[str, ...]) -> Response:
    """Pass the upstream's bytes on as they are, and name the fields that were not."""
    response = json_response(completion.body)
    if dropped:
        names = [name for name in dropped[:_MAX_NAMED] if name.isascii() and name.isprintable()]
        response.headers["x-dropped-params"] = ",".join(name[:64] for name in names)
    return response
