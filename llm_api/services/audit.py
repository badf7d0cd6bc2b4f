"""Looks acts of administrators up, and makes those on what is another's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from llm_api.domain.audit import Actor, AdminAct, AuditQuery
from llm_api.domain.tasks import Task
from llm_api.domain.timestamps import utc_text
from llm_api.errors import Unavailable
from llm_api.storage import StoreError
from llm_api.storage.audit_store import AuditStore
from llm_api.storage.reads import Freshness, Reads

AUDIT_AWAY = Unavailable(
    "The audit cannot be read at the moment.", reason="store_unavailable", retry_after=5
)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some acts, the latest first; `cursor` is that of the next page, None behind the last."""

    acts: Sequence[AdminAct]
    cursor: int | None
    freshness: Freshness | None = None


class AuditService:
    """Reads the audit."""

    def __init__(self, reads: Reads[AuditStore]) -> None:
        """Use a reader of acts."""
        self._reads = reads

    def page(self, query: AuditQuery) -> AuditPage:
        """Return the acts that are asked for; raises Unavailable."""
        # One more, to know whether there is a next page.
        wanted = replace(query, at_most=query.at_most + 1)
        try:
            found = self._reads.read(lambda store: store.page(wanted))
        except StoreError as error:
            raise AUDIT_AWAY.replaced() from error
        acts = found.value[: query.at_most]
        has_more = len(found.value) > len(acts)
        return AuditPage(acts, acts[-1].number if has_more else None, found.freshness)


def act_on_job(task: Task, by: Actor | None, act: str, at: datetime) -> AdminAct | None:
    """Return an admin's act on another's job; None where it is the own, or nobody's admin's."""
    if by is None or task.key_id == by.id:
        return None
    before = {"kind": task.kind, "state": task.state.value, "key": task.key_id}
    return AdminAct(at, by, act, task.id, before=before)


def to_dict(act: AdminAct) -> Mapping[str, Any]:
    """Return an act as JSON."""
    return {
        "id": str(act.number),
        "at": utc_text(act.at),
        "actor": {"id": act.actor.id, "name": act.actor.name},
        "act": act.act,
        "subject": {"id": act.subject, "name": act.subject_name},
        "before": act.before,
        "after": act.after,
        "request_id": act.actor.request_id,
        "address": act.actor.address,
    }
