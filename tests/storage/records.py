"""Usage rows: made, kept by a store that can go away, and read back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError
from llm_api.storage.sql.tables import usage

_PLAIN = UsageRecord(
    request_id="req_1",
    created_at=datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC),
    route="/api/v1/llm/chat",
    requested_model=None,
    model="scripted",
    upstream="fast",
)


def begun(request_id: str = "req_1", **fields: Any) -> UsageRecord:
    """Make the record of a call that begins."""
    return replace(_PLAIN, request_id=request_id, **fields)


def ended(request_id: str = "req_1", **fields: Any) -> UsageRecord:
    """Make the record of a call that ended well."""
    good = {"status": "ok", "attempts": 1, "prompt_tokens": 5, "completion_tokens": 2}
    return begun(request_id, **{**good, "usage_source": "upstream", **fields})


def stored_rows(url: str) -> list[dict[str, Any]]:
    """Read the table, in the order of the request ids."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(usage).order_by(usage.c.request_id)).mappings()
        return [dict(row) for row in rows]


class ListStore:
    """A store that keeps every copy it is given, and can be away."""

    def __init__(self) -> None:
        """Begin empty and there."""
        self.is_away = False
        self.refusals = 0
        self.records: list[UsageRecord] = []

    @property
    def ids(self) -> list[str]:
        """The request ids in order, copies and all."""
        return sorted(record.request_id for record in self.records)

    def add(self, records: Sequence[UsageRecord]) -> None:
        """See UsageStore."""
        if self.is_away:
            self.refusals += 1
            raise StoreError("The database is away.")
        self.records += records

    def check(self) -> None:
        """See UsageStore."""

    def close(self) -> None:
        """See UsageStore."""
