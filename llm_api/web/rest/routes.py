"""The REST routes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flask import Response, request

from llm_api.domain.calls import CallResult, Completion, ModelRequest
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.errors import ApiError, InvalidRequest
from llm_api.services.prompt_batches import BatchOutcome
from llm_api.services.prompts import NO_REWRITES, NO_SUCH_REWRITE, NOT_KEPT, OF_REWRITES
from llm_api.web.call_errors import (
    OF_BUDGETS,
    OF_CALLERS,
    OF_REWRITING,
    call_examples,
    configured_missing,
)
from llm_api.web.documented_errors import BODY_ERRORS, MODEL_ERRORS, RATE_LIMITED
from llm_api.web.idempotency import cached, idempotent
from llm_api.web.making.picture_sources import MAX_ALL_BYTES, judged_pictures
from llm_api.web.request.context import caller, services
from llm_api.web.response.answers import answers_with, json_response
from llm_api.web.rest.prompt_answers import OptimizedPromptSchema, prompt_answer
from llm_api.web.rest.prompt_batch_schemas import (
    BatchPrompt,
    DeletedRewriteSchema,
    PromptBatchAnswerSchema,
    PromptBatchSchema,
    batch_answer,
)
from llm_api.web.rest.prompt_schemas import EditOrder, PromptRequestSchema
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
_BATCH_EXAMPLE = {"prompts": [_PROMPT_EXAMPLE, {"prompt": "A launching rocket", "type": "video"}]}
_WRONG_BATCH = InvalidRequest.of_field(
    "prompts", "must be a list of 1 to 50 items.", reason="out_of_range"
)
_WRONG_PROMPT = InvalidRequest.of_field(
    "type", "must be one of image, video, edit, storyboard.", reason="out_of_range"
)
_WRONG_SECONDS = InvalidRequest.of_field(
    "total_seconds",
    "must be a sum of shots of 5 or 10 seconds for wan, such as 5, 10 or 15.",
    reason="seconds_do_not_add_up",
)


def _chat_response(completion: Completion) -> Response:
    return json_response(chat_answer(completion))


def _prompt_response(prompt: OptimizedPrompt) -> Response:
    response = json_response(prompt_answer(prompt))
    if prompt.rewrite_id is not None:
        response.headers["x-rewrite-id"] = prompt.rewrite_id
    return response


def _batch_response(outcomes: Sequence[BatchOutcome]) -> Response:
    return json_response(batch_answer(outcomes, request.path))


# Schemas are given as instances: flask-smorest would build a class anew on every request (0.3 ms).
@blueprint.post("/chat")
@blueprint.doc(operationId="chat")
@blueprint.arguments(ChatRequestSchema(), example=_CHAT_EXAMPLE)
@blueprint.response(200, ChatAnswerSchema())
@blueprint.errors(*MODEL_ERRORS, examples=[_WRONG_CHAT, configured_missing(), *call_examples()])
@cached
@answers_with(_chat_response)
def chat(body: ModelRequest) -> CallResult[Completion]:
    """Continue a conversation."""
    return services().chat.complete(body, caller())


@blueprint.post("/optimize-prompt")
@blueprint.doc(operationId="optimizePrompt")
@blueprint.arguments(PromptRequestSchema(), example=_PROMPT_EXAMPLE)
@blueprint.response(200, OptimizedPromptSchema())
@blueprint.errors(
    *MODEL_ERRORS,
    examples=[
        _WRONG_PROMPT,
        _WRONG_SECONDS,
        *OF_REWRITES,
        *OF_CALLERS,
        *OF_REWRITING,
        RATE_LIMITED,
    ],
)
@idempotent
@answers_with(_prompt_response)
def optimize_prompt(body: PromptRequest | EditOrder) -> CallResult[OptimizedPrompt]:
    """Rewrite a prompt for an image or video model, keeping its intent.

    An edit of pictures stays the smallest change; a script becomes the shots of a storyboard.
    """
    services().optimizer.require_enabled()  # before pictures are read
    return services().optimizer.optimize(_with_pictures(body), caller())


def _with_pictures(body: PromptRequest | EditOrder, left: int = MAX_ALL_BYTES) -> PromptRequest:
    """Return the request with its pictures of `left` bytes at most; raises InvalidRequest."""
    if isinstance(body, PromptRequest):
        return body
    return replace(body.request, pictures=judged_pictures(body.images, services().judge, left))


@blueprint.post("/optimize-prompts")
@blueprint.doc(operationId="optimizePrompts")
@blueprint.arguments(PromptBatchSchema(), example=_BATCH_EXAMPLE)
@blueprint.response(200, PromptBatchAnswerSchema())
@blueprint.errors(
    *BODY_ERRORS, 503, examples=[_WRONG_BATCH, NO_REWRITES, *OF_BUDGETS, RATE_LIMITED]
)
@idempotent
@answers_with(_batch_response)
def optimize_prompts(
    body: Sequence[BatchPrompt],
) -> CallResult[Sequence[BatchOutcome]]:
    """Rewrite up to 50 prompts, each with a result or an error of its own.

    They count as so many requests.
    """
    services().optimizer.require_enabled()
    return services().batches.optimize(list(_of_batch(body)), caller())


def _of_batch(prompts: Sequence[BatchPrompt]) -> Iterator[PromptRequest | ApiError]:
    """Yield requests with their pictures, which are not larger than those of a single request.

    One whose pictures cannot be used becomes its error.
    """
    left = MAX_ALL_BYTES
    for prompt in prompts:
        if isinstance(prompt, ApiError):
            yield prompt
            continue
        try:
            request = _with_pictures(prompt, left)
        except ApiError as error:
            yield error
        else:
            left -= sum(len(picture.original) for picture in request.pictures)
            yield request


@blueprint.delete("/rewrites/<rewrite_id>")
@blueprint.doc(operationId="deleteRewrite")
@blueprint.response(200, DeletedRewriteSchema())
@blueprint.errors(404, 503, examples=[NO_SUCH_REWRITE, NOT_KEPT])
def delete_rewrite(rewrite_id: str) -> Response:
    """Delete a rewrite that is kept, also a pinned one; a key deletes its own."""
    services().optimizer.forget(rewrite_id, caller())
    return json_response({"rewrite_id": rewrite_id, "deleted": True})
