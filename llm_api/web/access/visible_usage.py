"""Whose usage a caller may see: an admin that of all, and any other key its own."""

from dataclasses import replace

from flask import g

from llm_api.domain.access import ApiKey
from llm_api.domain.usage import UsageQuery
from llm_api.errors import Forbidden

ADMINS_ONLY = Forbidden(
    "Usage of other keys is reported to an admin's key only.", reason="admin_required"
)


def visible_to_caller(query: UsageQuery) -> UsageQuery:
    """Restrict a report to what the caller may see; where no keys are required that is all.

    Raises:
        Forbidden: it is about another key.
    """
    key: ApiKey | None = g.request_state.key
    if key is None or key.is_admin:
        return query
    if query.filters.get("key", key.id) not in {key.id, key.name}:
        raise Forbidden(ADMINS_ONLY.message, reason="admin_required")
    return replace(query, filters={**query.filters, "key": key.id})
