"""Schemas of the routes for API keys."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from llm_api.domain.access import Limits
from llm_api.domain.budget_periods import PERIODS
from llm_api.services.keys import formats
from llm_api.services.keys.formats import TextFormat
from llm_api.web.schema_fields import (
    MESSAGES,
    VISIBLE,
    Boolean,
    FieldProblem,
    Integer,
    ShortList,
    String,
    length,
    within,
)
from llm_api.web.smorest import StrictSchema

_MANY = 1_000_000_000
# Null has a meaning of its own there: never, or all.
_WITH_NULL = frozenset(["expires", "models", "routes", "group"])


class FormattedField(String):
    """A text in one of the formats of `services.keys.formats`."""

    def __init__(self, text_format: TextFormat, **options: Any) -> None:
        """Accept texts in a format."""
        if text_format.pattern is not None:
            options["metadata"] = {"pattern": text_format.pattern} | options.get("metadata", {})
        rules = [length(1, text_format.at_most), VISIBLE]
        super().__init__(validate=rules, post_load=self._read, **options)
        self._format = text_format

    def _read(self, text: str) -> Any:
        try:
            return self._format(text)
        except ValueError:
            raise ma.ValidationError(f"must be {self._format.expected}.") from None


class BudgetList(ShortList):
    """Budgets, each for another period or another unit than all others."""

    def __init__(self, **options: Any) -> None:
        """Accept a list of budgets."""
        super().__init__(FormattedField(formats.BUDGET), at_most=formats.MAX_LISTED, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        budgets = super()._deserialize(value, attr, data, **options)
        if places := formats.repeated_budget(budgets):
            at, first = places
            what = f"{budgets[at].unit}/{budgets[at].period}"
            words = f"is a second one of {what}, beside budgets[{first}]; give one."
            raise ma.ValidationError({at: [FieldProblem(words, "budget_repeated")]})
        return budgets


def _limit() -> Integer:
    return Integer(validate=within(1, _MANY), allow_none=True)


def _allowed(text_format: TextFormat, what: str) -> ShortList:
    return ShortList(
        FormattedField(text_format),
        at_least=1,
        at_most=formats.MAX_LISTED,
        allow_none=True,
        metadata={"description": f"The {what} that it may be used for; null for all."},
    )


class LimitsSchema(StrictSchema):
    """Limits of a key; the settings' limits apply where it has none."""

    requests = FormattedField(
        formats.REQUESTS,
        allow_none=True,
        metadata={"example": "60/minute;5000/day"},
    )
    tokens_per_minute = _limit()
    concurrent_requests = _limit()
    concurrent_streams = _limit()
    images_per_minute = _limit()

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> Limits:
        """Build the limits."""
        return Limits(**document)


class KeyChangeSchema(StrictSchema):
    """Properties of a key; those that are left out stay."""

    name = FormattedField(formats.NAME, allow_none=True, metadata={"example": "shop"})
    expires = FormattedField(
        formats.END,
        allow_none=True,
        metadata={
            "description": f"{formats.END.expected}; null for never.",
            "example": "90d",
            # A moment has to be one to come, which no schema can say.
            "anyOf": [
                {"type": "string", "pattern": formats.SPAN},
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
                {"type": "null"},
            ],
        },
    )
    is_admin = Boolean(allow_none=True)
    models = _allowed(formats.MODEL, "models")
    routes = _allowed(formats.ROUTE, "routes")
    limits = ma.fields.Nested(LimitsSchema, allow_none=True, error_messages=MESSAGES)
    budgets = BudgetList(
        allow_none=True,
        metadata={"example": ["5 CNY/day", "100000 tokens/month"]},
    )
    tags = ShortList(
        FormattedField(formats.TAG),
        allow_none=True,
        at_most=formats.MAX_TAGS,
        metadata={"description": "Labels for all of its calls."},
    )

    group = FormattedField(
        formats.NAME,
        allow_none=True,
        metadata={
            "description": "Id or name of a group whose limits and budgets hold it, too; null for"
            " none.",
            "example": "video team",
        },
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Name the properties like the fields of ApiKey; null means left out, if it has no use."""
        given = {
            name: value
            for name, value in document.items()
            if value is not None or name in _WITH_NULL
        }
        if "expires" in given:
            given["expires_at"] = given.pop("expires")
        return given


class NewKeySchema(KeyChangeSchema):
    """A new key."""

    name = FormattedField(formats.NAME, required=True, metadata={"example": "shop"})


class RotationSchema(StrictSchema):
    """Options of a rotation."""

    overlap = FormattedField(
        formats.OVERLAP,
        allow_none=True,
        metadata={"description": "How long former secrets stay valid; default: 24h."},
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Keep what was given; null means left out."""
        return {name: value for name, value in document.items() if value is not None}


class KeyListArgumentsSchema(StrictSchema):
    """Which keys are listed; an empty name counts as left out."""

    name = FormattedField(formats.NAME, metadata={"description": "Only keys of this name."})

    @ma.pre_load
    def drop_empty(self, values: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        """Leave an empty name out; unknown names stay, to be refused."""
        return {name: value for name, value in values.items() if value or name not in self.fields}

    @ma.post_load
    def make(self, values: dict[str, str], **_: Any) -> str | None:
        """Return the name."""
        return values.get("name")


class KeyLimitsSchema(ma.Schema):
    """Limits of a key; the settings' limits apply where it has none."""

    requests = ma.fields.String(metadata={"example": "60/minute"})
    tokens_per_minute = ma.fields.Integer()
    concurrent_requests = ma.fields.Integer()
    concurrent_streams = ma.fields.Integer()
    images_per_minute = ma.fields.Integer()


def _moment(**options: Any) -> ma.fields.DateTime:
    return ma.fields.DateTime(required=True, **options)


def _texts(**options: Any) -> ma.fields.List[Any]:
    return ma.fields.List(ma.fields.String(), required=True, **options)


def _amount(description: str) -> ma.fields.String:
    """Describe an amount: a decimal number as text, so that none is rounded."""
    return ma.fields.String(
        required=True, metadata={"description": description, "example": "1.350000"}
    )


class KeySchema(ma.Schema):
    """A key, without its secret."""

    id = ma.fields.String(required=True, metadata={"description": "The `key` of usage reports."})
    name = ma.fields.String(required=True)
    state = ma.fields.String(
        required=True, validate=ma.validate.OneOf(("active", "expired", "disabled"))
    )
    created_at = _moment(allow_none=True)
    expires_at = _moment(allow_none=True)
    disabled_at = _moment(allow_none=True)
    is_admin = ma.fields.Boolean(required=True)
    models = _texts(allow_none=True)
    routes = _texts(allow_none=True)
    limits = ma.fields.Nested(KeyLimitsSchema, required=True)
    budgets = _texts()
    tags = _texts()
    group = ma.fields.String(required=True, allow_none=True, metadata={"description": "Its id."})
    group_name = ma.fields.String(required=True, allow_none=True)


class BudgetStateSchema(ma.Schema):
    """What is spent and left of a budget in the present period."""

    budget = ma.fields.String(required=True, metadata={"example": "5 CNY/day"})
    of = ma.fields.String(required=True, validate=ma.validate.OneOf(("key", "group")))
    period = ma.fields.String(required=True, validate=ma.validate.OneOf(PERIODS))
    unit = ma.fields.String(required=True, metadata={"description": "A currency, or `tokens`."})
    limit = _amount("The whole budget.")
    spent = _amount("What calls have cost that have ended.")
    reserved = _amount("What calls in progress can cost at most.")
    left = _amount("What is neither spent nor reserved.")
    starts_at = _moment(allow_none=True)
    resets_at = _moment(allow_none=True, metadata={"description": "Null: never."})


class KeyWithBudgetsSchema(KeySchema):
    """A key, without its secret, and what is spent and left of its budgets."""

    budget_states = ma.fields.List(
        ma.fields.Nested(BudgetStateSchema),
        required=True,
        metadata={"description": "Of its budgets in their order; none without the SQL store."},
    )


class IssuedKeySchema(KeySchema):
    """A key with its secret, which no other response has."""

    secret = ma.fields.String(required=True)
    warnings = ma.fields.List(
        ma.fields.String(),
        metadata={"description": "What was perhaps not meant: a name in use, an unknown model."},
    )


class DeletedKeySchema(ma.Schema):
    """A key that is not there any more."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    deleted = ma.fields.Boolean(required=True)


class KeyListSchema(ma.Schema):
    """Keys, the newest first."""

    keys = ma.fields.List(ma.fields.Nested(KeySchema), required=True)
