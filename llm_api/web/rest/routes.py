"""The REST routes."""

from flask import Response

from llm_api.domain.calls import CallResult, Completion, ModelRequest
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.errors import InvalidRequest
from llm_api.web.documented_errors import MODEL_ERRORS, MODEL_FORBIDDEN
from llm_api.web.idempotency import cached, idempotent
from llm_api.web.request.context import caller, services
from llm_api.web.response.answers import answers_with, json_response
from llm_api.web.rest.prompt_schemas import (
    OptimizedPromptSchema,
    PromptRequestSchema,
    prompt_answer,
)
from llm_api.web.rest.schemas import ChatAnswerSchema, ChatRequestSchema, chat_answer
from llm_api.web.smorest import Blueprint

blueprint = Blueprint(
    "LLM", __name__, url_prefix="/api/v1/llm", description="Chat and prompt optimization."
)


# What the docs page offers to send.
_CHAT_EXAMPLE = {"messages": [{"role": "user", "content": "Name three colors."}], "max_tokens": 40}
_PROMPT_EXAMPLE = {"prompt": "A cat sitting on a chair", "type": "image", "style": "watercolor"}
_WRONG_CHAT = InvalidRequest.of_field(
    "messages[0].role", "must be one of system, user, assistant.", reason="out_of_range"
)
_WRONG_PROMPT = InvalidRequest.of_field(
    "type", "must be one of image, video.", reason="out_of_range"
)


def _chat_response(completion: Completion) -> Response:
    return json_response(chat_answer(completion))


def _prompt_response(prompt: OptimizedPrompt) -> Response:
    return json_response(prompt_answer(prompt))


# Schemas are given as instances: flask-smorest would build a class anew on every request (0.3 ms).
@blueprint.post("/chat")
@blueprint.doc(operationId="chat")
@blueprint.arguments(ChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(200, ChatAnswerSchema())
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG_CHAT, MODEL_FORBIDDEN])
@cached
@answers_with(_chat_response)
def chat(body: ModelRequest) -> CallResult[Completion]:
    """Continue a conversation."""
    return services().chat.complete(body, caller())


@blueprint.post("/optimize-prompt")
@blueprint.doc(operationId="optimizePrompt")
@blueprint.arguments(PromptRequestSchema(), example=_PROMPT_EXAMPLE)
@blueprint.response(200, OptimizedPromptSchema())
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG_PROMPT, MODEL_FORBIDDEN])
@idempotent
@answers_with(_prompt_response)
def optimize_prompt(body: PromptRequest) -> CallResult[OptimizedPrompt]:
    """Rewrite a prompt for an image or video model, keeping its intent."""
    return services().optimizer.optimize(body, caller())
