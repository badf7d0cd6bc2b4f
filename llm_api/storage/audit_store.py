"""The contract of a store of administrators' acts."""

from datetime import datetime
from typing import Protocol

from llm_api.domain.audit import AdminAct, AuditQuery


class AuditStore(Protocol):
    """Keeps acts; nothing changes one. Every method raises StoreError when the store fails."""

    def add(self, act: AdminAct) -> None:
        """Store an act; when it returns, the act is durable."""

    def page(self, query: AuditQuery) -> list[AdminAct]:
        """Return acts, the latest first."""

    def prune(self, before: datetime, at_most: int) -> int:
        """Delete the oldest acts before a time, and return how many were deleted."""
