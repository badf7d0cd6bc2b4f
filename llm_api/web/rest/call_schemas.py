"""The answer of a look-up of calls, for the API document."""

from typing import Any

import marshmallow as ma

from llm_api.services.usage.call_lookup import AT_MOST


def _count(description: str) -> ma.fields.Integer:
    described = {"minimum": 0, "description": description}
    return ma.fields.Integer(required=True, allow_none=True, metadata=described)


def _text(description: str, **described: Any) -> ma.fields.String:
    metadata = {"description": description, **described}
    return ma.fields.String(required=True, allow_none=True, metadata=metadata)


class CallKeySchema(ma.Schema):
    """The API key of a call, or the group that it was in."""

    id = ma.fields.String(required=True)
    name = _text("null where it is not known any more.")


class CallAttemptSchema(ma.Schema):
    """One attempt at an upstream."""

    upstream = ma.fields.String(required=True, metadata={"example": "fast"})
    model = ma.fields.String(required=True)
    reason = _text("Why it failed, or its answer was not used; null for success.")
    ms = ma.fields.Integer(required=True, metadata={"minimum": 0})
    status = _count("The HTTP status of the upstream's error.")
    said = _text("What the upstream said, scrubbed: for an admin's key.")


class CallTokensSchema(ma.Schema):
    """The tokens of a call; `source` is `upstream`, `estimated` or `missing`."""

    source = ma.fields.String(required=True)
    prompt_tokens = _count("null where it is not known.")
    completion_tokens = _count("null where it is not known.")
    cached_tokens = _count("Part of the prompt's.")
    reasoning_tokens = _count("Part of the completion's.")


class CallCostSchema(ma.Schema):
    """What a call has cost."""

    currency = ma.fields.String(required=True, metadata={"example": "CNY"})
    micro = ma.fields.Integer(
        required=True, metadata={"minimum": 0, "description": "Millionths of the currency."}
    )
    amount = ma.fields.String(required=True, metadata={"example": "0.004410"})


class CallTimesSchema(ma.Schema):
    """Where the time of a call went, in milliseconds."""

    queue_ms = _count("The wait for a free place at the upstream.")
    first_token_ms = _count("Until the answer began.")
    upstream_ms = _count("Spent at upstreams.")
    own_ms = _count("Spent in this service.")
    total_ms = _count("In all.")


class FoundCallSchema(ma.Schema):
    """All that is known of a call."""

    request_id = ma.fields.String(required=True, metadata={"description": "Of its usage row."})
    shown_id = _text("What the response called the request, where that is another id.")
    is_stored = ma.fields.Boolean(
        required=True, metadata={"description": "false while its row waits for the store."}
    )
    created_at = ma.fields.DateTime(required=True)
    key = ma.fields.Nested(CallKeySchema, required=True, allow_none=True)
    group = ma.fields.Nested(CallKeySchema, required=True, allow_none=True)
    route = ma.fields.String(required=True, metadata={"example": "/v1/chat/completions"})
    requested_model = _text("null where the caller named none.")
    model = ma.fields.String(required=True)
    upstream = ma.fields.String(required=True, metadata={"example": "fast"})
    status = ma.fields.String(
        required=True,
        metadata={"description": "As in usage rows, or `in_progress`.", "example": "ok"},
    )
    reason = _text("Why it failed.")
    http_status = _count("What the caller was sent.")
    attempts = ma.fields.List(ma.fields.Nested(CallAttemptSchema), required=True)
    tokens = ma.fields.Nested(CallTokensSchema, required=True)
    images = _count("Pictures that were made.")
    pictures = ma.fields.Dict(required=True, allow_none=True)
    cost = ma.fields.Nested(CallCostSchema, required=True, allow_none=True)
    times = ma.fields.Nested(CallTimesSchema, required=True)
    tags = ma.fields.List(ma.fields.String(), required=True)
    lineage_id = _text("Shared by calls that belong together.")


class FoundCallsSchema(ma.Schema):
    """The calls with an id, the newest first."""

    request_id = ma.fields.String(
        required=True, metadata={"description": "Of this request, not of those it found."}
    )
    calls = ma.fields.List(ma.fields.Nested(FoundCallSchema), required=True)
    has_more = ma.fields.Boolean(
        required=True, metadata={"description": f"Whether there are more than {AT_MOST}."}
    )
