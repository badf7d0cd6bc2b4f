"""What tasks of pictures and of films have in common in answers, for the API document."""

from typing import Any

import marshmallow as ma


def _text(*, is_null: bool = False, **described: Any) -> ma.fields.String:
    return ma.fields.String(required=True, allow_none=is_null, metadata=described)


class UsedPromptSchema(ma.Schema):
    """The prompt, as it came and as it was used."""

    original = _text()
    used = _text()
    optimized = ma.fields.Boolean(
        required=True, metadata={"description": "Whether this service has rewritten it."}
    )
    vendor_rewritten = _text(is_null=True, description="The vendor's own rewrite, if it says so.")


class WarningSchema(ma.Schema):
    """What became of a field that the model does not take as it is."""

    field = _text()
    code = _text(description="emulated, adapted, dropped or cut.")
    message = _text()


class TaskErrorSchema(ma.Schema):
    """Why a task has no pictures."""

    reason = _text()
    message = _text()
    retryable = ma.fields.Boolean(required=True)
    stage = ma.fields.String(metadata={"description": "Of a filter: input or output, if known."})
    what = ma.fields.String(metadata={"description": "What it was about, such as image, if known."})


class VendorRequestSchema(ma.Schema):
    """A request that would be sent; pictures in it are left out."""

    method = _text()
    url = _text()
    body = ma.fields.Raw(required=True, metadata={"type": ["object", "string", "null"]})
