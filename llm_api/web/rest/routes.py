"""The REST routes."""

from flask import Response

from llm_api.domain.calls import ModelRequest
from llm_api.domain.prompts import PromptRequest
from llm_api.web.idempotency import answered_once
from llm_api.web.request.context import caller, services
from llm_api.web.response.errors import json_response
from llm_api.web.response.headers import noted
from llm_api.web.rest.prompt_schemas import (
    OptimizedPromptSchema,
    PromptRequestSchema,
    prompt_answer,
)
from llm_api.web.rest.schemas import ChatAnswerSchema, ChatRequestSchema, chat_answer
from llm_api.web.smorest import MODEL_ERRORS, Blueprint

blueprint = Blueprint(
    "LLM", __name__, url_prefix="/api/v1/llm", description="Chat and prompt optimization."
)


# What the docs page offers to send.
_CHAT_EXAMPLE = {"messages": [{"role": "user", "content": "Name three colors."}], "max_tokens": 40}
_PROMPT_EXAMPLE = {"prompt": "A cat sitting on a chair", "type": "image", "style": "watercolor"}


# Schemas are given as instances: flask-smorest would build a class anew on every request (0.3 ms).
@blueprint.post("/chat")
@blueprint.arguments(ChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(200, ChatAnswerSchema())
@blueprint.errors(*MODEL_ERRORS)
def chat(body: ModelRequest) -> Response:
    """Continue a conversation."""
    return answered_once(
        lambda: noted(json_response(chat_answer(services().chat.complete(body, caller()))))
    )


@blueprint.post("/optimize-prompt")
@blueprint.arguments(PromptRequestSchema(), example=_PROMPT_EXAMPLE)
@blueprint.response(200, OptimizedPromptSchema())
@blueprint.errors(*MODEL_ERRORS)
def optimize_prompt(body: PromptRequest) -> Response:
    """Rewrite a prompt for an image or video model, keeping its intent."""
    return answered_once(
        lambda: noted(json_response(prompt_answer(services().optimizer.optimize(body, caller()))))
    )
