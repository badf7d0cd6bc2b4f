"""The answers of `POST /api/v1/llm/score-image`."""

from typing import Any

import marshmallow as ma

from llm_api.domain.judging import Level
from llm_api.web.rest.judge.measurement_schemas import MeasurementsSchema
from llm_api.web.schema_fields import AnyOf

TIE = "tie"
_CONFIDENCES = ("high", "medium", "low")


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


def _text(description: str, **options: Any) -> ma.fields.String:
    return ma.fields.String(required=True, metadata=_about(description), **options)


class DimensionScoreSchema(ma.Schema):
    """The score of a dimension."""

    score = ma.fields.Float(required=True, metadata=_about("From 0 to 100, by the level."))
    level = ma.fields.String(required=True, validate=ma.validate.OneOf([*Level]))
    evidence = _text("What the model has seen.", allow_none=True)
    spread = ma.fields.Float(required=True, metadata=_about("Between the samples; 25 are a level."))


class CheckpointVerdictSchema(ma.Schema):
    """Whether a picture passes a checkpoint."""

    text = ma.fields.String(required=True)
    passed = ma.fields.Boolean(
        required=True, allow_none=True, metadata=_about("null: nobody can say.")
    )
    evidence = _text("What was seen or measured.", allow_none=True)
    source = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(("vision", "measured")),
        metadata=_about("Who says so."),
    )
    kind = _text("Such as `text`, `count`, `object`; `other` of the caller's own.")


class IssueSchema(ma.Schema):
    """A flaw."""

    type = ma.fields.String(required=True, metadata={"example": "anatomy"})
    severity = ma.fields.String(required=True, allow_none=True)
    where = ma.fields.String(required=True, allow_none=True)


class JudgeUsageSchema(ma.Schema):
    """Tokens of all calls together, and what they cost; null where it is not known."""

    prompt_tokens = ma.fields.Integer(required=True, allow_none=True)
    completion_tokens = ma.fields.Integer(required=True, allow_none=True)
    total_tokens = ma.fields.Integer(required=True, allow_none=True)
    calls = ma.fields.Integer(required=True, metadata=_about("Attempts at a model."))
    cost_micro = ma.fields.Integer(
        required=True, allow_none=True, metadata=_about("Millionths of the currency.")
    )
    currency = ma.fields.String(required=True, allow_none=True)


class _JudgedSchema(ma.Schema):
    confidence = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf(_CONFIDENCES),
        metadata=_about("null where the picture may not have been seen."),
    )
    samples_used = ma.fields.Integer(required=True)
    summary = _text("In the model's words.", allow_none=True)
    model = _text("As the upstream names it.", allow_none=True)
    rubric_version = ma.fields.String(required=True, allow_none=True)
    rubric_language = ma.fields.String(
        required=True, allow_none=True, validate=ma.validate.OneOf(("en", "zh"))
    )
    warnings = ma.fields.List(ma.fields.String(), required=True)


class _AnswerSchema(_JudgedSchema):
    usage = ma.fields.Nested(JudgeUsageSchema, required=True)
    latency_ms = ma.fields.Integer(required=True)
    request_id = ma.fields.String(required=True)


class PictureVerdictSchema(_JudgedSchema):
    """The verdict on a picture."""

    method = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(("vision", "measured")),
        metadata=_about("`measured` has no scores: nothing but facts."),
    )
    overall = ma.fields.Float(required=True, allow_none=True)
    scale = ma.fields.List(ma.fields.Integer(), required=True)
    passed = ma.fields.Boolean(
        required=True, allow_none=True, metadata=_about("null: nobody can say.")
    )
    scores = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(DimensionScoreSchema), required=True
    )
    checkpoints = ma.fields.List(ma.fields.Nested(CheckpointVerdictSchema), required=True)
    coverage = ma.fields.Float(
        required=True,
        allow_none=True,
        metadata=_about("The share of checkpoints whose outcome is known."),
    )
    issues = ma.fields.List(ma.fields.Nested(IssueSchema), required=True)
    safety_note = _text("What a careful publisher should know; no score.", allow_none=True)
    measurements = ma.fields.Nested(
        MeasurementsSchema, metadata=_about("Only where something was measured.")
    )


class VerdictSchema(PictureVerdictSchema, _AnswerSchema):
    """The verdict on a picture; the answer of `mode` `score`."""


class ComparisonSchema(_AnswerSchema):
    """The better one of two pictures; the answer of `mode` `compare`."""

    winner = AnyOf(
        ma.fields.Integer(validate=ma.validate.OneOf((0, 1))),
        ma.fields.String(validate=ma.validate.OneOf((TIE,))),
        required=True,
        metadata=_about("Its place in `images`."),
    )
    consistent = ma.fields.Boolean(
        required=True, metadata=_about("Whether the order of the pictures made no difference.")
    )
    votes = ma.fields.List(
        AnyOf(
            ma.fields.Integer(validate=ma.validate.OneOf((0, 1))),
            ma.fields.String(validate=ma.validate.OneOf((TIE,))),
        ),
        required=True,
        metadata=_about("Of each call: in the order of the request, then the other way round."),
    )


class RankingSchema(_AnswerSchema):
    """Pictures in their order; the answer of `mode` `rank`."""

    ranking = ma.fields.List(
        ma.fields.Integer(), required=True, metadata=_about("Places in `images`, the best first.")
    )
    wins = ma.fields.List(
        ma.fields.Float(),
        required=True,
        metadata=_about("Pairs that each picture has won, in the order of `images`; a tie: 0.5."),
    )
    consistent = ma.fields.Boolean(
        required=True, metadata=_about("Whether the order of the pictures made no difference.")
    )
