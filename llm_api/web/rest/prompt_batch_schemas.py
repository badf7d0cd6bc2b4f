"""Requests and responses of `POST /api/v1/llm/optimize-prompts`, and of kept rewrites."""

from collections.abc import Sequence
from typing import Any

import marshmallow as ma

from llm_api.domain.prompts import PromptRequest
from llm_api.errors import ApiError
from llm_api.services.prompt_batches import BatchOutcome
from llm_api.web.response.error_formats import error_document
from llm_api.web.rest.prompt_answers import OptimizedPromptSchema, prompt_answer
from llm_api.web.rest.prompt_schemas import EditOrder, PromptRequestSchema
from llm_api.web.schema_fields import AnyOf, ShortList, invalid_request
from llm_api.web.smorest import ErrorBodySchema, StrictSchema

MAX_PROMPTS = 50
_ONE = PromptRequestSchema()
BatchPrompt = PromptRequest | EditOrder | ApiError


class PromptBatchSchema(StrictSchema):
    """Prompts to rewrite."""

    prompts = ShortList(
        AnyOf(
            ma.fields.Nested(PromptRequestSchema),
            ma.fields.Raw(metadata={"description": "Anything else has an error as its result."}),
            allow_none=True,
        ),
        required=True,
        at_least=1,
        at_most=MAX_PROMPTS,
        metadata={"description": "Each as for `POST /api/v1/llm/optimize-prompt`."},
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> Sequence[BatchPrompt]:
        """Make the requests; one that is invalid becomes its error, and spoils no other."""
        return [_read(prompt) for prompt in document["prompts"]]


def _read(prompt: Any) -> BatchPrompt:
    try:
        request: PromptRequest | EditOrder = _ONE.load(prompt)
    except ma.ValidationError as error:
        return invalid_request(error.messages)
    return request


class BatchResultSchema(ma.Schema):
    """What became of one prompt: `result`, or `error`."""

    index = ma.fields.Integer(
        required=True, metadata={"description": "Of the prompt in the request, from 0."}
    )
    result = ma.fields.Nested(OptimizedPromptSchema)
    rewrite_id = ma.fields.String(
        metadata={"description": "Of the result; left out where the original is returned."}
    )
    error = ma.fields.Nested(ErrorBodySchema)


class PromptBatchAnswerSchema(ma.Schema):
    """What became of each prompt, in their order."""

    results = ma.fields.List(ma.fields.Nested(BatchResultSchema), required=True)


class DeletedRewriteSchema(ma.Schema):
    """A rewrite that is kept no longer."""

    rewrite_id = ma.fields.String(required=True)
    deleted = ma.fields.Boolean(required=True)


def batch_answer(outcomes: Sequence[BatchOutcome], path: str) -> dict[str, Any]:
    """Return the fields of the response; `path` is that of the request, for errors."""
    return {"results": [_entry(i, one, path) for i, one in enumerate(outcomes)]}


def _entry(index: int, outcome: BatchOutcome, path: str) -> dict[str, Any]:
    if outcome.error is not None:
        return {"index": index, **error_document(outcome.error, path, outcome.request_id)}
    if outcome.result is None:
        raise ValueError(index)
    entry: dict[str, Any] = {"index": index, "result": prompt_answer(outcome.result)}
    if outcome.result.rewrite_id is not None:
        entry["rewrite_id"] = outcome.result.rewrite_id
    return entry
