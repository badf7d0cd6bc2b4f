"""Requests and responses of `POST /api/v1/llm/optimize-prompt`."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.prompts import GENERIC, OptimizedPrompt, PromptRequest
from llm_api.web.schema_fields import (
    VISIBLE,
    Boolean,
    FieldProblem,
    Integer,
    ShortList,
    String,
    length,
    line,
    one_of,
    seed_field,
    within,
)
from llm_api.web.smorest import StrictSchema

MAX_PROMPT_CHARS = 4_000
MAX_PRESERVED = 20
MAX_PRESERVED_CHARS = 200
# Those of config/targets.toml; a test holds them together.
TARGETS = (
    GENERIC,
    "wan",
    "qwen-image",
    "seedream",
    "seedance",
    "hunyuan",
    "flux",
    "sdxl",
)


def _check_words(text: str) -> None:
    """Reject words that would be invisible in the rewrite."""
    if not (text.strip() and text.isprintable()):
        raise ValidationError("must be printable text.")


def _describe(description: str) -> dict[str, str]:
    return {"description": description}


class PromptRequestSchema(StrictSchema):
    """A prompt to rewrite."""

    prompt = String(required=True, validate=[length(1, MAX_PROMPT_CHARS), VISIBLE])
    type = String(required=True, validate=one_of(("image", "video")))
    style = line(1, 100, allow_none=True, metadata={"example": "watercolor"})
    enhance_details = Boolean(
        allow_none=True,
        metadata={"default": True} | _describe("false: only structure and clarity, nothing new."),
    )
    language = String(
        allow_none=True,
        validate=one_of(("auto", "zh", "en")),
        metadata=_describe(
            "Of the rewrite; auto is the prompt's own, if the target understands it."
        ),
    )
    target_model = String(
        allow_none=True,
        validate=one_of(TARGETS),
        metadata=_describe("The image or video model that gets the prompt: its limits are kept."),
    )
    max_length = Integer(
        allow_none=True,
        validate=within(20, MAX_PROMPT_CHARS),
        metadata=_describe("Of the rewrite, in characters."),
    )
    preserve = ShortList(
        String(validate=[length(1, MAX_PRESERVED_CHARS), _check_words]),
        allow_none=True,
        at_most=MAX_PRESERVED,
        metadata=_describe("Words of the prompt that stay letter by letter."),
    )
    seed = seed_field(metadata=_describe("Sent to models that support it."))
    n = Integer(
        allow_none=True,
        validate=within(1, 4),
        metadata=_describe("Number of rewrites; above 1, the response has `candidates`."),
    )
    include_negative_prompt = Boolean(
        allow_none=True,
        metadata=_describe("Return `negative_prompt`: what the image or video should not contain."),
    )
    duration_seconds = Integer(
        allow_none=True,
        validate=within(1, 60),
        metadata=_describe("Of the video: how much can happen in it."),
    )
    camera = line(
        1,
        100,
        allow_none=True,
        metadata=_describe("Camera move or framing to put in.") | {"example": "slow pan left"},
    )
    on_failure = String(
        allow_none=True,
        validate=one_of(("original", "error")),
        metadata=_describe(
            "If no rewrite is usable: return the original with a warning, or a 502."
        ),
    )
    max_wait_ms = Integer(
        allow_none=True,
        validate=within(100, 600_000),
        metadata=_describe("After this time the response is that of `on_failure`."),
    )
    include_details = Boolean(
        allow_none=True, metadata=_describe("Return `details`: method, constraints kept, checks.")
    )

    @ma.validates_schema
    def reject_duration_of_an_image(self, document: dict[str, Any], **_: Any) -> None:
        """Reject `duration_seconds` for an image."""
        if document.get("type") == "image" and document.get("duration_seconds") is not None:
            problem = FieldProblem("must be left out for an image.", "not_supported")
            raise ValidationError({"duration_seconds": [problem]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> PromptRequest:
        """Make the request that the service takes; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        preserve = tuple(given.pop("preserve", ()))
        return PromptRequest(**given, preserve=preserve)


class DetailsSchema(ma.Schema):
    """How a rewrite was made; only with `include_details`."""

    language = ma.fields.String(metadata={"enum": ["en", "zh"]})
    method = ma.fields.String(metadata={"enum": ["instructed", "guided", "fallback"]})
    target_model = ma.fields.String()
    kept = ma.fields.Dict(
        keys=ma.fields.String(), metadata=_describe("Constraints found in the prompt, by kind.")
    )
    added = ma.fields.List(ma.fields.String(), metadata=_describe("Kinds of details that are new."))
    checks = ma.fields.Dict(
        keys=ma.fields.String(),
        metadata=_describe("Whether the rewrite is valid, and the violations found on the way."),
    )
    repaired = ma.fields.List(
        ma.fields.String(), metadata=_describe("Repairs that code made to the model's rewrite.")
    )
    model = ma.fields.String()
    calls = ma.fields.Integer(metadata=_describe("Number of calls to the model."))
    usage = ma.fields.Dict(keys=ma.fields.String())
    prompt_version = ma.fields.String(metadata=_describe("Of our own instructions to the model."))
    latency_ms = ma.fields.Dict(keys=ma.fields.String())
    notes = ma.fields.List(ma.fields.String(), metadata=_describe("About the target model."))


class OptimizedPromptSchema(ma.Schema):
    """The rewritten prompt."""

    original_prompt = ma.fields.String()
    optimized_prompt = ma.fields.String()
    improvements = ma.fields.List(
        ma.fields.String(), metadata=_describe("What the rewrite verifiably added.")
    )
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
    details = ma.fields.Nested(DetailsSchema, metadata=_describe("Only with `include_details`."))


def prompt_answer(result: OptimizedPrompt) -> dict[str, Any]:
    """Return the fields of the response; the optional ones only if they have a value."""
    answer: dict[str, Any] = {
        "original_prompt": result.original_prompt,
        "optimized_prompt": result.optimized_prompt,
        "improvements": result.improvements,
    }
    if result.warnings:
        answer["warnings"] = result.warnings
    if result.candidates is not None:
        answer["candidates"] = result.candidates
    if result.negative_prompt is not None:
        answer["negative_prompt"] = result.negative_prompt
    if result.details is not None:
        answer["details"] = result.details
    return answer
