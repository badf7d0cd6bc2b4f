"""Work that outlives the request that asked for it, and the process that began it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskState(StrEnum):
    """What has become of a task."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens."""
        return self not in {TaskState.QUEUED, TaskState.RUNNING}


class CancelState(StrEnum):
    """What became of the wish to cancel a task."""

    CANCELLED = "cancelled"
    TOO_LATE = "too_late"
    NOT_SUPPORTED = "not_supported"


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is stored; all times are timezone-aware, in UTC.

    Attributes:
        id: unguessable.
        kind: who works on it, such as `image` or `webhook`.
        document: what its kind knows of it, as JSON.
        due_at: when a worker should look at it next.
        deadline_at: when it has taken too long.
        expires_at: when its row and its files are deleted.
        key_id: whose task it is; None for an anonymous caller.
        request_id, lineage_id: of the call that asked for it.
        claimed_by: the worker that works on it; empty for none.
        claimed_until: when another worker may take it over.
        wants_cancel: whether its caller has asked for its end.
    """

    id: str
    kind: str
    created_at: datetime
    due_at: datetime
    deadline_at: datetime
    expires_at: datetime
    state: TaskState = TaskState.QUEUED
    document: Mapping[str, Any] = field(default_factory=dict)
    key_id: str | None = None
    request_id: str = ""
    lineage_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    claimed_by: str = ""
    claimed_until: datetime | None = None
    wants_cancel: bool = False


@dataclass(frozen=True, slots=True)
class WebhookPlan:
    """How the ends of tasks are reported to callers.

    `secrets` sign, each `whsec_…`, the newest first: at a rotation receivers know one of two.
    `allows_private` lets reports go to private addresses, and without TLS. `alert_urls` are where
    operators want to be told of budgets and circuits; they may have secrets in them.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    allows_private: bool = False
    alert_urls: tuple[str, ...] = field(default=(), repr=False)
