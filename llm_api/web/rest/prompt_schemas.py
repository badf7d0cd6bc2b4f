"""What `POST /api/v1/llm/optimize-prompt` takes and gives."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.prompts import GENERIC, PromptRequest
from llm_api.web.schema_fields import (
    MESSAGES,
    FieldProblem,
    StrictBoolean,
    StrictInteger,
    StrictString,
    checked_items,
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


class WordsField(ma.fields.List[Any]):
    """Words that stay as they are: a list of short texts."""

    default_error_messages = MESSAGES

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> list[Any]:  # noqa: ARG002  # marshmallow's signature
        # An empty list asks for nothing, and is no mistake.
        if value == []:
            return []
        return checked_items(value, _wrong_in_words, at_most=MAX_PRESERVED)


def _wrong_in_words(words: Any) -> dict[str, FieldProblem]:
    if not isinstance(words, str):
        return {"_schema": FieldProblem("must be a string.", "invalid_type")}
    if not (words.strip() and len(words) <= MAX_PRESERVED_CHARS and words.isprintable()):
        right = f"must be printable text of 1 to {MAX_PRESERVED_CHARS} characters."
        return {"_schema": FieldProblem(right, "out_of_range")}
    return {}


def _told(description: str) -> dict[str, str]:
    return {"description": description}


class PromptRequestSchema(StrictSchema):
    """A prompt to rewrite."""

    prompt = StrictString(required=True, at_least=1, at_most=MAX_PROMPT_CHARS)
    type = StrictString(required=True, choices=("image", "video"))
    style = StrictString(
        at_least=1, at_most=100, is_printable=True, metadata={"example": "watercolor"}
    )
    enhance_details = StrictBoolean(
        load_default=True, metadata=_told("false: only structure and clarity, nothing new.")
    )
    language = StrictString(
        choices=("auto", "zh", "en"),
        metadata=_told("Of the rewrite; auto is the prompt's own, if the target understands it."),
    )
    target_model = StrictString(
        choices=TARGETS, metadata=_told("The model that draws or films: its limits are kept.")
    )
    max_length = StrictInteger(
        minimum=20, maximum=MAX_PROMPT_CHARS, metadata=_told("Of the rewrite, in characters.")
    )
    preserve = WordsField(
        ma.fields.String(metadata={"minLength": 1, "maxLength": MAX_PRESERVED_CHARS}),
        metadata=_told("Words of the prompt that stay letter by letter.")
        | {"maxItems": MAX_PRESERVED},
    )
    seed = StrictInteger(minimum=0, metadata=_told("Sent to models that take one."))
    n = StrictInteger(
        minimum=1, maximum=4, metadata=_told("How many rewrites; more than one: `candidates`.")
    )
    include_negative_prompt = StrictBoolean(
        metadata=_told("Answer with `negative_prompt`: what the prompt does not want.")
    )
    duration_seconds = StrictInteger(
        minimum=1, maximum=60, metadata=_told("Of the video: how much can happen in it.")
    )
    camera = StrictString(
        at_least=1,
        at_most=100,
        is_printable=True,
        metadata=_told("Camera move or framing to put in.") | {"example": "slow pan left"},
    )
    on_failure = StrictString(
        choices=("original", "error"),
        metadata=_told("Where no rewrite is usable: the original with a warning, or a 502."),
    )
    max_wait_ms = StrictInteger(
        minimum=100,
        maximum=600_000,
        metadata=_told("After this time the answer is what `on_failure` says."),
    )
    include_details = StrictBoolean(
        metadata=_told("Answer with `details`: how it was done, what was kept and checked.")
    )

    @ma.validates_schema
    def refuse_the_length_of_a_picture(self, document: dict[str, Any], **_: Any) -> None:
        """Refuse `duration_seconds` for a picture."""
        if document.get("type") == "image" and "duration_seconds" in document:
            problem = FieldProblem("must be left out for an image.", "not_supported")
            raise ValidationError({"duration_seconds": [problem]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> PromptRequest:
        """Make the request that the service takes."""
        preserve = tuple(document.pop("preserve", ()))
        return PromptRequest(**document, preserve=preserve)


class DetailsSchema(ma.Schema):
    """How a rewrite was made; only with `include_details`."""

    language = ma.fields.String(metadata={"enum": ["en", "zh"]})
    method = ma.fields.String(metadata={"enum": ["instructed", "guided", "fallback"]})
    target_model = ma.fields.String()
    kept = ma.fields.Dict(
        keys=ma.fields.String(), metadata=_told("What was found in the prompt, by its kind.")
    )
    added = ma.fields.List(ma.fields.String(), metadata=_told("Kinds of details that are new."))
    checks = ma.fields.Dict(
        keys=ma.fields.String(),
        metadata=_told("Whether the rewrite passed, and what was found wrong on the way."),
    )
    repaired = ma.fields.List(
        ma.fields.String(), metadata=_told("Steps by which code mended what the model wrote.")
    )
    model = ma.fields.String()
    calls = ma.fields.Integer(metadata=_told("How often the model was asked."))
    usage = ma.fields.Dict(keys=ma.fields.String())
    prompt_version = ma.fields.String(metadata=_told("Of our own instructions to the model."))
    latency_ms = ma.fields.Dict(keys=ma.fields.String())
    notes = ma.fields.List(ma.fields.String(), metadata=_told("About the target model."))


class OptimizedPromptSchema(ma.Schema):
    """The rewritten prompt."""

    original_prompt = ma.fields.String()
    optimized_prompt = ma.fields.String()
    improvements = ma.fields.List(
        ma.fields.String(), metadata=_told("What the rewrite verifiably added.")
    )
    warnings = ma.fields.List(
        ma.fields.String(),
        metadata=_told("Only present where something did not go as asked."),
    )
    candidates = ma.fields.List(
        ma.fields.String(),
        metadata=_told("Only with `n` above 1: the usable rewrites, the first one included."),
    )
    negative_prompt = ma.fields.String(
        metadata=_told("Only with `include_negative_prompt`; empty where there is nothing to say.")
    )
    details = ma.fields.Nested(DetailsSchema, metadata=_told("Only with `include_details`."))
