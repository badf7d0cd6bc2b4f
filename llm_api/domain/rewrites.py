"""The nouns of kept rewrites, which answer the same request with the same words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class KeptRewrite:
    """A rewrite as it is stored; times are timezone-aware, in UTC.

    Attributes:
        name: a hash of whose it is and of its `rewrite_id`.
        request: a hash of whose it is and of what it answers.
        document: what its answers are made of, as JSON; the prompt is not part of it.
        expires_at: when it is deleted; None for one that was pinned.
    """

    name: str
    request: str
    document: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class RewritesPlan:
    """Where rewrites are kept (`off`, `memory`, `redis` or `sql`), and for how many days."""

    store: str = "memory"
    retention_days: int = 30
