"""A lineage as it is answered, for the API document."""

from typing import Any

import marshmallow as ma

from llm_api.domain.lineage import OUTCOMES


def _text(*, is_null: bool = False, **described: Any) -> ma.fields.String:
    return ma.fields.String(required=True, allow_none=is_null, metadata=described)


def _number(*, is_null: bool = True, **described: Any) -> ma.fields.Float:
    return ma.fields.Float(required=True, allow_none=is_null, metadata=described)


def _count(*, is_null: bool = False, **described: Any) -> ma.fields.Integer:
    return ma.fields.Integer(
        required=True, allow_none=is_null, metadata={"minimum": 0, **described}
    )


def _words(description: str) -> ma.fields.List[Any]:
    return ma.fields.List(ma.fields.String(), required=True, metadata={"description": description})


class _EventSchema(ma.Schema):
    """What all events have."""

    at = _text(format="date-time")
    key_id = _text(is_null=True)
    request_id = _text(is_null=True)
    texts = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        metadata={"description": "Only where the operator keeps texts, by their names."},
    )


class _PaidEventSchema(_EventSchema):
    """What events have that cost something."""

    cost_micros = _count(is_null=True, description="Millionths of `currency`; null is unknown.")
    currency = _text(is_null=True, example="CNY")


class RewriteEventSchema(_PaidEventSchema):
    """A prompt was rewritten, or kept."""

    type = _text(example="image")
    target_model = _text()
    language = _text(example="en")
    method = _text(description="instructed, guided, or fallback where the original was kept.")
    template_version = _text(is_null=True, description="Of our own instructions to the model.")
    model = _text(is_null=True)
    arm = _text(description="control where the operator keeps a share of prompts as they are.")
    is_repeat = ma.fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "Whether it was there already; null is of an older release."},
    )
    passed = ma.fields.Boolean(required=True, metadata={"description": "The checks of its form."})
    problems = _words("What was wrong with the rewrite, by the names of checks.")


class PicturesEventSchema(_PaidEventSchema):
    """A job has ended."""

    job_id = _text(example="img_2b8f0d5f7c3e41a9")
    model = _text()
    upstream = _text()
    n = _count(description="How many pictures were made.")
    failed = _count()
    is_optimized = ma.fields.Boolean(required=True)
    picture_ids = _words("The files, as long as they are kept.")
    reason = _text(is_null=True, description="Why there is no picture.")


class CheckedPointSchema(ma.Schema):
    """A checkpoint, without its words."""

    outcome = _text(example="passed")
    source = _text(is_null=True)
    kind = _text(is_null=True)


class VerdictEventSchema(_PaidEventSchema):
    """A picture was judged."""

    job_id = _text(is_null=True)
    picture_id = _text(is_null=True)
    method = _text()
    model = _text(is_null=True)
    passed = ma.fields.Boolean(required=True, allow_none=True)
    overall = _number()
    coverage = _number()
    confidence = _text(is_null=True)
    samples = _count(is_null=True)
    rubric_version = _text(is_null=True)
    checkpoints = ma.fields.List(ma.fields.Nested(CheckedPointSchema), required=True)


class ComparisonEventSchema(_PaidEventSchema):
    """Pictures were compared or ranked, by a call that has named the lineage."""

    mode = ma.fields.String(required=True, validate=ma.validate.OneOf(("compare", "rank")))
    model = _text(is_null=True)
    picture_ids = ma.fields.List(
        ma.fields.String(allow_none=True),
        required=True,
        metadata={"description": "In the order of the request; null: no file of this service."},
    )
    ranking = ma.fields.List(
        ma.fields.Integer(),
        required=True,
        metadata={"description": "Places in the request, the best first; empty for a tie of two."},
    )
    wins = ma.fields.List(ma.fields.Float(), required=True)
    consistent = ma.fields.Boolean(required=True)
    confidence = _text(is_null=True)
    samples = _count(is_null=True)
    rubric_version = _text(is_null=True)


class DescriptionEventSchema(_PaidEventSchema):
    """A picture was described, by a call that has named the lineage."""

    picture_id = _text(is_null=True)
    type = _text(example="image")
    target_model = _text()
    language = _text(example="en")
    template_version = _text(is_null=True)
    model = _text(is_null=True)
    passed = ma.fields.Boolean(required=True, metadata={"description": "The checks of its form."})
    problems = _words("What was wrong with the description, by the names of checks.")


class FeedbackEventSchema(ma.Schema):
    """What a person has said; later words about the same take its place."""

    lineage_id = _text()
    at = _text(format="date-time")
    key_id = _text(is_null=True)
    job_id = _text(is_null=True, description="The job that it is about; null for the lineage.")
    picture_id = _text(is_null=True, description="The picture; null for the job or the lineage.")
    outcome = ma.fields.String(required=True, validate=ma.validate.OneOf(OUTCOMES))
    score = _number()
    edited_length = _count(is_null=True, description="Characters of the edited prompt.")
    changed = _number(description="How much of its words has changed, from 0 to 1; null: unknown.")
    texts = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        metadata={"description": "Only where the operator keeps texts."},
    )


class AmountSchema(ma.Schema):
    """A sum of costs in one currency."""

    currency = _text(example="CNY")
    micro = _count(description="Millionths of the currency.")
    amount = _text(description="The same, exact.", example="0.410000")


class LineageSchema(ma.Schema):
    """A lineage: what came of a prompt."""

    lineage_id = _text()
    rewrites = ma.fields.List(ma.fields.Nested(RewriteEventSchema), required=True)
    pictures = ma.fields.List(ma.fields.Nested(PicturesEventSchema), required=True)
    verdicts = ma.fields.List(ma.fields.Nested(VerdictEventSchema), required=True)
    comparisons = ma.fields.List(ma.fields.Nested(ComparisonEventSchema), required=True)
    descriptions = ma.fields.List(ma.fields.Nested(DescriptionEventSchema), required=True)
    feedback = ma.fields.List(ma.fields.Nested(FeedbackEventSchema), required=True)
    cost = ma.fields.List(
        ma.fields.Nested(AmountSchema),
        required=True,
        metadata={"description": "Of all that is here and whose cost is known."},
    )
    unpriced = _count(description="How many of those have an unknown cost.")
    request_id = _text()
