"""The answer of a usage report, for the API document."""

from typing import Any

import marshmallow as ma

from llm_api.domain.call_times import RELATIVE_ERROR
from llm_api.services.usage.report_query import GROUPS


def _count(description: str | None = None) -> ma.fields.Integer:
    described = {"minimum": 0} | ({"description": description} if description else {})
    return ma.fields.Integer(required=True, metadata=described)


def _text(**described: Any) -> ma.fields.String:
    return ma.fields.String(metadata=described)


def _percentile(percent: int) -> ma.fields.Integer:
    off = round(RELATIVE_ERROR * 100, 1)
    described = f"Milliseconds within which {percent} % of these calls were done, to {off} %;"
    return ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"minimum": 0, "description": f"{described} null without calls."},
    )


class CostSchema(ma.Schema):
    """The cost of a group in one currency."""

    currency = ma.fields.String(required=True, metadata={"example": "CNY"})
    micro = _count("Millionths of the currency.")
    amount = ma.fields.String(
        required=True, metadata={"description": "The same, exact.", "example": "0.004410"}
    )
    per_image = ma.fields.String(
        metadata={
            "description": "Of groups by `model`: what an image has cost, where that is known.",
            "example": "0.250000",
        }
    )


class GroupTokensSchema(ma.Schema):
    """Calls and tokens of one source: counted by the upstream, or estimated."""

    calls = _count()
    prompt_tokens = _count()
    completion_tokens = _count()
    cached_tokens = _count()
    reasoning_tokens = _count()


class GroupTimesSchema(ma.Schema):
    """Within how many milliseconds so many percent of calls were done, of those counted."""

    calls = _count("Calls whose time is known.")
    p50_ms = _percentile(50)
    p95_ms = _percentile(95)
    p99_ms = _percentile(99)


class UsageGroupSchema(ma.Schema):
    """Sums of the calls that agree in the dimensions of `group_by`, each of which is a field."""

    hour = _text(example="2026-01-31T15:00:00Z")
    day = _text(example="2026-01-31")
    key = _text(description="The id of a key.")
    key_name = _text(description="Its name, beside `key`.", example="shop (deleted)")
    route = _text(example="/v1/chat/completions")
    model = _text()
    upstream = _text(example="fast")
    tag = _text()
    status = _text(example="ok")
    reason = _text(example="upstream_timeout", description="Of an error; empty for none.")
    group = _text(description="The id of a group of keys.")
    group_name = _text(
        description="Its name, beside `group`; empty for one that was deleted.", example="video"
    )
    calls = _count()
    errors = _count()
    attempts = _count("Requests to upstreams.")
    measured = ma.fields.Nested(GroupTokensSchema, required=True)
    estimated = ma.fields.Nested(GroupTokensSchema, required=True)
    uncounted_calls = _count()
    images = _count()
    cost = ma.fields.List(ma.fields.Nested(CostSchema), required=True)
    unpriced_calls = _count("Calls of unknown cost.")
    mean_ms = _count("Milliseconds a call.")
    latency = ma.fields.Nested(
        GroupTimesSchema,
        required=True,
        metadata={"description": "From the start of a call to its end."},
    )
    first_token = ma.fields.Nested(
        GroupTimesSchema,
        required=True,
        metadata={"description": "From the start of a streamed call to its first token."},
    )


class ReplicaSchema(ma.Schema):
    """Where it was read, in an installation with a read replica."""

    is_used = ma.fields.Boolean(
        required=True,
        metadata={"description": "False: the replica is away, and it was read from the primary."},
    )
    lag_seconds = ma.fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "minimum": 0,
            "description": "How far the replica is behind; null where that is unknown.",
        },
    )


class UsageReportSchema(ma.Schema):
    """A page of a usage report."""

    since = ma.fields.DateTime(required=True)
    until = ma.fields.DateTime(required=True)
    group_by = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(GROUPS)), required=True)
    page = _count()
    page_size = _count()
    total = _count("How many groups there are.")
    groups = ma.fields.List(ma.fields.Nested(UsageGroupSchema), required=True)
    replica = ma.fields.Nested(ReplicaSchema)
