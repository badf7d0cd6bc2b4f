"""Reports about lineages: what they can be asked for, and what they answer."""

from typing import Any

import marshmallow as ma

from llm_api.services.lineage.learning import JUDGED_BY
from llm_api.services.lineage.lineage_reports import LearningQuery
from llm_api.web.rest.usage_report_schemas import ReplicaSchema
from llm_api.web.rest.usage_schemas import SpanArgumentsSchema, TextArgument
from llm_api.web.schema_fields import one_of


class LearningArgumentsSchema(SpanArgumentsSchema):
    """Loads a LearningQuery from texts."""

    judged_by = TextArgument(
        validate=one_of(JUDGED_BY),
        load_default=JUDGED_BY[0],
        metadata={
            "description": "people: feedback alone. judge: verdicts alone. any: feedback, and"
            " verdicts where nobody has said anything."
        },
    )

    @ma.post_load
    def make(self, values: dict[str, Any], **_: Any) -> LearningQuery:
        """Fill in the span's defaults and check its length."""
        return LearningQuery(*self.span_of(values), values["judged_by"])


def _text(**described: Any) -> ma.fields.String:
    return ma.fields.String(required=True, metadata=described)


def _count(**described: Any) -> ma.fields.Integer:
    return ma.fields.Integer(required=True, metadata={"minimum": 0, **described})


def _share(*, is_null: bool = False, **described: Any) -> ma.fields.Float:
    return ma.fields.Float(required=True, allow_none=is_null, metadata=described)


class ShareSchema(ma.Schema):
    """How many lineages were accepted, of those that were judged."""

    lineages = _count()
    judged = _count()
    accepted = _count()
    rate = _share(is_null=True, description="accepted / judged; null without any.")
    low = _share(description="The interval in which the true rate is.")
    high = _share()


class TemplateShareSchema(ShareSchema):
    """How a template of the optimizer does for a target; without the control arm."""

    template_version = _text(description="Empty where no rewrite was usable in time.")
    target_model = _text()
    type = _text(example="image")


class ArmsComparisonSchema(ma.Schema):
    """Whether rewriting helps for a target, by lineages that were drawn for one of both arms."""

    target_model = _text()
    type = _text(example="image")
    rewrite = ma.fields.Nested(ShareSchema, required=True)
    control = ma.fields.Nested(ShareSchema, required=True)
    difference = _share(is_null=True, description="Of the rates; null where one is not known.")
    low = _share(description="The interval in which the true difference is.")
    high = _share()
    rewriting = ma.fields.String(
        required=True, validate=ma.validate.OneOf(("helps", "hurts", "unclear"))
    )


class AcceptedCostSchema(ma.Schema):
    """The cost of a model's pictures in one currency."""

    currency = _text(example="CNY")
    micro = _count(description="Millionths of the currency.")
    amount = _text(description="The same, exact.", example="0.410000")
    per_accepted = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "For each accepted picture; null without any."},
    )


class ModelLessonSchema(ma.Schema):
    """What the pictures of a model cost in lineages that were judged."""

    model = _text()
    pictures = _count()
    accepted = _count()
    cost = ma.fields.List(ma.fields.Nested(AcceptedCostSchema), required=True)
    unpriced = _count(description="Jobs whose cost is not known.")


class LearningSchema(ma.Schema):
    """What is learned from the lineages of a span of time."""

    since = _text(format="date-time")
    until = _text(format="date-time")
    judged_by = _text()
    confidence = _share(description="Of the intervals, however often somebody looks.")
    rewrites = ma.fields.List(ma.fields.Nested(TemplateShareSchema), required=True)
    comparisons = ma.fields.List(ma.fields.Nested(ArmsComparisonSchema), required=True)
    models = ma.fields.List(ma.fields.Nested(ModelLessonSchema), required=True)
    replica = ma.fields.Nested(ReplicaSchema)
