"""Requests and responses of `POST /api/v1/llm/optimize-prompt`."""

from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.prompts import GENERIC, OptimizedPrompt, PromptRequest
from llm_api.services.prompts import REWRITE_ID
from llm_api.web.schema_fields import (
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
# White space, and what services/prompts/text.py removes from a prompt: control and invisible signs.
_HIDDEN = (
    r"\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
)
VISIBLE_PROMPT = ma.validate.Regexp(
    f"[{_HIDDEN}]*[^{_HIDDEN}]", error="must be more than white space."
)
_REWRITE_ID = "rw_5f0c2b9e7a4d41d68e13b0aa7c9d2e1f_2b8f0d5f7c3e41a9"
# Python's `$` also matches in front of a final line feed; JSON Schema's does not.
_REWRITE_ID_FORM = ma.validate.Regexp(
    REWRITE_ID.removesuffix("$") + r"\Z", error="must be a rewrite_id of this service."
)
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


def _describe(description: str) -> dict[str, str]:
    return {"description": description}


def _texts(description: str) -> ma.fields.List[Any]:
    return ma.fields.List(ma.fields.String(), required=True, metadata=_describe(description))


class PromptRequestSchema(StrictSchema):
    """A prompt to rewrite."""

    class Meta(StrictSchema.Meta):
        """Marshmallow's options, and for the API document what fields cannot say."""

        rules: ClassVar[dict[str, Any]] = {
            "allOf": [
                {
                    "not": {
                        "required": ["type", "duration_seconds"],
                        "properties": {
                            "type": {"enum": ["image"]},
                            "duration_seconds": {"type": "integer"},
                        },
                    }
                },
                {
                    "not": {
                        "required": ["pin", "refresh"],
                        "properties": {"pin": {"type": "string"}, "refresh": {"enum": [True]}},
                    }
                },
            ]
        }

    prompt = String(required=True, validate=[length(1, MAX_PROMPT_CHARS), VISIBLE_PROMPT])
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
    max_tokens = Integer(
        allow_none=True,
        validate=within(20, MAX_PROMPT_CHARS),
        metadata=_describe(
            "Of the rewrite, in tokens of the target's text encoder; the target's own limit holds"
            " as well."
        ),
    )
    preserve = ShortList(
        line(1, MAX_PRESERVED_CHARS),
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
    refresh = Boolean(
        allow_none=True,
        metadata=_describe("true: rewrite anew, although a rewrite of the same request is kept."),
    )
    pin = String(
        allow_none=True,
        validate=_REWRITE_ID_FORM,
        metadata=_describe(
            "The `rewrite_id` of a rewrite of the same request, whose words are wanted again."
        )
        | {"pattern": REWRITE_ID, "example": _REWRITE_ID},
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

    @ma.validates_schema
    def reject_refresh_of_what_is_pinned(self, document: dict[str, Any], **_: Any) -> None:
        """Reject `refresh` beside `pin`: new words, and the same."""
        if document.get("refresh") and document.get("pin") is not None:
            problem = FieldProblem("must be left out beside pin.", "not_supported")
            raise ValidationError({"refresh": [problem]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> PromptRequest:
        """Make the request that the service takes; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        preserve = tuple(given.pop("preserve", ()))
        return PromptRequest(**given, preserve=preserve)


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

    language = ma.fields.String(required=True, validate=ma.validate.OneOf(("en", "zh")))
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
