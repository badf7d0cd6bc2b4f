"""What the routes of keys take and give."""

from typing import Any

import marshmallow as ma

from llm_api.domain.access import Limits
from llm_api.services.keys import formats
from llm_api.services.keys.formats import TextFormat
from llm_api.web.schema_fields import (
    MESSAGES,
    VISIBLE,
    Boolean,
    Integer,
    ShortList,
    String,
    length,
    within,
)
from llm_api.web.smorest import StrictSchema

_MANY = 1_000_000_000


class WrittenField(String):
    """A text in one of the forms of `services.keys.formats`."""

    def __init__(self, form: TextFormat, **options: Any) -> None:
        """Read texts in `form`."""
        if form.pattern is not None:
            options["metadata"] = {"pattern": form.pattern} | options.get("metadata", {})
        rules = [length(1, form.at_most), VISIBLE]
        super().__init__(validate=rules, post_load=self._read, **options)
        self._form = form

    def _read(self, text: str) -> Any:
        try:
            return self._form(text)
        except ValueError:
            raise ma.ValidationError(f"must be {self._form.right}.") from None


def _most() -> Integer:
    return Integer(validate=within(1, _MANY), allow_none=True)


def _allowed(form: TextFormat, what: str) -> ShortList:
    return ShortList(
        WrittenField(form),
        at_least=1,
        at_most=formats.MAX_LISTED,
        allow_none=True,
        metadata={"description": f"The {what} that it may be used for; null for all."},
    )


class LimitsSchema(StrictSchema):
    """What a key may take; the settings' limits where it says nothing."""

    requests = WrittenField(
        formats.REQUESTS,
        allow_none=True,
        metadata={"example": "60/minute;5000/day"},
    )
    tokens_per_minute = _most()
    concurrent_requests = _most()
    concurrent_streams = _most()

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> Limits:
        """Make the limits."""
        return Limits(**document)


class KeyChangeSchema(StrictSchema):
    """Properties of a key; those that are left out stay."""

    name = WrittenField(formats.NAME, metadata={"example": "shop"})
    expires = WrittenField(
        formats.END,
        allow_none=True,
        metadata={"description": f"{formats.END.right}; null for never.", "example": "90d"},
    )
    is_admin = Boolean()
    models = _allowed(formats.MODEL, "models")
    routes = _allowed(formats.ROUTE, "routes")
    limits = ma.fields.Nested(LimitsSchema, error_messages=MESSAGES)
    budgets = ShortList(
        WrittenField(formats.BUDGET),
        at_most=formats.MAX_LISTED,
        metadata={"example": ["5 CNY/day", "100000 tokens/month"]},
    )
    tags = ShortList(
        WrittenField(formats.TAG),
        at_most=formats.MAX_TAGS,
        metadata={"description": "Labels for all of its calls."},
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Name the properties as ApiKey does."""
        if "expires" in document:
            document["expires_at"] = document.pop("expires")
        return document


class NewKeySchema(KeyChangeSchema):
    """A key to make."""

    name = WrittenField(formats.NAME, required=True, metadata={"example": "shop"})


class RotationSchema(StrictSchema):
    """How a key gets another secret."""

    overlap = WrittenField(
        formats.OVERLAP,
        metadata={"description": "How long the old secret is good; 24h where left out."},
    )


class KeySchema(ma.Schema):
    """A key, without its secret."""

    id = ma.fields.String(metadata={"description": "The `key` of usage reports."})
    name = ma.fields.String()
    state = ma.fields.String(metadata={"enum": ["active", "expired", "disabled"]})
    created_at = ma.fields.String()
    expires_at = ma.fields.String(allow_none=True)
    disabled_at = ma.fields.String(allow_none=True)
    is_admin = ma.fields.Boolean()
    models = ma.fields.List(ma.fields.String(), allow_none=True)
    routes = ma.fields.List(ma.fields.String(), allow_none=True)
    limits = ma.fields.Dict()
    budgets = ma.fields.List(ma.fields.String())
    tags = ma.fields.List(ma.fields.String())


class IssuedKeySchema(KeySchema):
    """A key with its secret, which is shown this once."""

    secret = ma.fields.String()


class KeyListSchema(ma.Schema):
    """All keys, the newest first."""

    keys = ma.fields.List(ma.fields.Nested(KeySchema))
