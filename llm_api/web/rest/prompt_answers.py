"""Responses of `POST /api/v1/llm/optimize-prompt`, and of what answers as it does."""

from typing import Any

import marshmallow as ma

from llm_api.domain.prompts import OptimizedPrompt, TargetRewrite
from llm_api.web.rest.storyboard_schemas import StoryboardSchema, storyboard_answer


def _describe(description: str) -> dict[str, str]:
    return {"description": description}


def _texts(description: str) -> ma.fields.List[Any]:
    return ma.fields.List(ma.fields.String(), required=True, metadata=_describe(description))


class ChecksSchema(ma.Schema):
    """The outcome of the checks of a rewrite."""

    passed = ma.fields.Boolean(required=True)
    problems = _texts("What is wrong with the rewrite, by the names of checks.")
    first_problems = _texts("What was wrong with the first one.")


class RewriteUsageSchema(ma.Schema):
    """Tokens of all calls to the model; null where the upstream did not count."""

    prompt_tokens = ma.fields.Integer(required=True, allow_none=True)
    completion_tokens = ma.fields.Integer(required=True, allow_none=True)
    total_tokens = ma.fields.Integer(required=True, allow_none=True)


class TokensSchema(ma.Schema):
    """Tokens that the target's text encoder makes of the answer, its own marks included."""

    count = ma.fields.Integer(required=True)
    limit = ma.fields.Integer(
        required=True, allow_none=True, metadata=_describe("How many are read; null: not known.")
    )
    exact = ma.fields.Boolean(
        required=True, metadata=_describe("false: an estimate, which is rather too high.")
    )


class LatencySchema(ma.Schema):
    """Milliseconds, and how many of them the upstream took."""

    total = ma.fields.Float(required=True)
    upstream = ma.fields.Float(required=True)


class DetailsSchema(ma.Schema):
    """How a rewrite was made; only with `include_details`."""

    language = ma.fields.String(required=True, metadata=_describe("A tag of BCP 47."))
    method = ma.fields.String(
        required=True, validate=ma.validate.OneOf(("instructed", "guided", "fallback"))
    )
    arm = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(("rewrite", "control")),
        metadata=_describe("control: the operator keeps a share of prompts as they are."),
    )
    target_model = ma.fields.String(required=True)
    kept = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        required=True,
        metadata=_describe("Constraints found in the prompt, by kind."),
    )
    added = _texts("Kinds of details that are new.")
    checks = ma.fields.Nested(ChecksSchema, required=True)
    unchecked = _texts(
        "Kinds of constraints that could not be compared, since their words are not known."
    )
    repaired = _texts("Repairs that code made to the model's rewrite.")
    tokens = ma.fields.Nested(TokensSchema, required=True)
    model = ma.fields.String(required=True, allow_none=True)
    calls = ma.fields.Integer(required=True, metadata=_describe("Number of calls to the model."))
    usage = ma.fields.Nested(RewriteUsageSchema, required=True)
    prompt_version = ma.fields.String(
        required=True, metadata=_describe("Of our own instructions to the model.")
    )
    latency_ms = ma.fields.Nested(LatencySchema, required=True)
    seed = ma.fields.Integer(
        required=True, allow_none=True, metadata=_describe("That of the request.")
    )
    rewrite_id = ma.fields.String(
        required=True,
        allow_none=True,
        metadata=_describe("Names these words; null where the original is returned."),
    )
    is_repeat = ma.fields.Boolean(
        required=True,
        metadata=_describe("Whether another request has made the rewrite; then no call was made."),
    )
    notes = _texts("About the target model.")


class TargetRewriteSchema(ma.Schema):
    """The rewrite for one of several target models."""

    target_model = ma.fields.String(required=True)
    optimized_prompt = ma.fields.String(required=True)
    improvements = _texts("What the rewrite verifiably added.")
    warnings = ma.fields.List(
        ma.fields.String(), metadata=_describe("Why it is not quite what was requested.")
    )
    negative_prompt = ma.fields.String()
    details = ma.fields.Nested(DetailsSchema)


class OptimizedPromptSchema(ma.Schema):
    """The rewritten prompt."""

    original_prompt = ma.fields.String(required=True)
    optimized_prompt = ma.fields.String(required=True)
    improvements = _texts("What the rewrite verifiably added.")
    warnings = ma.fields.List(
        ma.fields.String(),
        metadata=_describe("Only present if the rewrite is not quite what was requested."),
    )
    candidates = ma.fields.List(
        ma.fields.String(),
        metadata=_describe("Only with `n` above 1: the usable rewrites, including the first."),
    )
    negative_prompt = ma.fields.String(
        metadata=_describe("Only with `include_negative_prompt`; may be empty.")
    )
    rewrites = ma.fields.List(
        ma.fields.Nested(TargetRewriteSchema),
        metadata=_describe("Only with `targets`: one for each, the first of which is above."),
    )
    storyboard = ma.fields.Nested(
        StoryboardSchema, metadata=_describe("Only of a storyboard: its shots.")
    )
    details = ma.fields.Nested(DetailsSchema, metadata=_describe("Only with `include_details`."))


def prompt_answer(result: OptimizedPrompt) -> dict[str, Any]:
    """Return the fields of the response; the optional ones only if they have a value."""
    answer = {"original_prompt": result.original_prompt} | _made(result)
    if result.candidates is not None:
        answer["candidates"] = result.candidates
    if result.rewrites is not None:
        answer["rewrites"] = [
            {"target_model": rewrite.target_model} | _made(rewrite) | _asked_for(rewrite)
            for rewrite in result.rewrites
        ]
    if result.storyboard is not None:
        answer["storyboard"] = storyboard_answer(result.storyboard)
    return answer | _asked_for(result)


def _made(result: OptimizedPrompt | TargetRewrite) -> dict[str, Any]:
    made: dict[str, Any] = {
        "optimized_prompt": result.optimized_prompt,
        "improvements": result.improvements,
    }
    return made | {"warnings": result.warnings} if result.warnings else made


def _asked_for(result: OptimizedPrompt | TargetRewrite) -> dict[str, Any]:
    asked_for = {"negative_prompt": result.negative_prompt, "details": result.details}
    return {name: value for name, value in asked_for.items() if value is not None}
