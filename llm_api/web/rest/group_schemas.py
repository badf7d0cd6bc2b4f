"""Schemas of the routes for groups of API keys."""

from typing import Any

import marshmallow as ma

from llm_api.services.keys import formats
from llm_api.web.rest.key_schemas import (
    BudgetList,
    BudgetStateSchema,
    FormattedField,
    KeyLimitsSchema,
    LimitsSchema,
)
from llm_api.web.schema_fields import MESSAGES
from llm_api.web.smorest import StrictSchema


class GroupChangeSchema(StrictSchema):
    """Properties of a group; those that are left out stay."""

    name = FormattedField(formats.NAME, allow_none=True, metadata={"example": "video team"})
    limits = ma.fields.Nested(LimitsSchema, allow_none=True, error_messages=MESSAGES)
    budgets = BudgetList(
        allow_none=True,
        metadata={"example": ["200 CNY/month", "1000 CNY/total"]},
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Keep what was given; null means left out."""
        return {name: value for name, value in document.items() if value is not None}


class NewGroupSchema(GroupChangeSchema):
    """A new group."""

    name = FormattedField(formats.NAME, required=True, metadata={"example": "video team"})


class GroupSchema(ma.Schema):
    """A group of keys; its limits and budgets are for all of them together."""

    id = ma.fields.String(required=True, metadata={"description": "The `group` of usage reports."})
    name = ma.fields.String(required=True)
    created_at = ma.fields.DateTime(required=True)
    limits = ma.fields.Nested(KeyLimitsSchema, required=True)
    budgets = ma.fields.List(ma.fields.String(), required=True)


class GroupStateSchema(GroupSchema):
    """A group of keys, with its keys, and what is spent and left of its budgets."""

    keys = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "The ids of its keys."}
    )
    budget_states = ma.fields.List(
        ma.fields.Nested(BudgetStateSchema),
        required=True,
        metadata={"description": "Of its budgets in their order; none without the SQL store."},
    )


class GroupListSchema(ma.Schema):
    """All groups, by their names."""

    groups = ma.fields.List(ma.fields.Nested(GroupSchema), required=True)


class DeletedGroupSchema(ma.Schema):
    """A group that was deleted."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    deleted = ma.fields.Boolean(required=True)
