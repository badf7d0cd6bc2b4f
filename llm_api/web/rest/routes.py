"""The REST routes."""

from flask import Response

from llm_api.domain.calls import CallResult, Completion, ModelRequest
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.web.idempotency import idempotent
from llm_api.web.request.context import caller, services
from llm_api.web.response.answers import answers_with, json_response
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


def _chat_response(completion: Completion) -> Response:
    return json_response(chat_answer(completion))


def _prompt_response(prompt: OptimizedPrompt) -> Response:
    return json_response(prompt_answer(prompt))


# Schemas are given as instances: flask-smorest would build a class anew on every request (0.3 ms).
@blueprint.post("/chat")
@blueprint.arguments(ChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(200, ChatAnswerSchema())
@blueprint.errors(*MODEL_ERRORS)
@idempotent
@answers_with(_chat_response)
def chat(body: ModelRequest) -> CallResult[Completion]:
    """Continue a conversation."""
    return services().chat.complete(body, caller())


@blueprint.post("/optimize-prompt")
@blueprint.arguments(PromptRequestSchema(), example=_PROMPT_EXAMPLE)
@blueprint.response(200, OptimizedPromptSchema())
@blueprint.errors(*MODEL_ERRORS)
@idempotent
@answers_with(_prompt_response)
def optimize_prompt(body: PromptRequest) -> CallResult[OptimizedPrompt]:
    """Rewrite a prompt for an image or video model, keeping its intent."""
    return services().optimizer.optimize(body, caller())
