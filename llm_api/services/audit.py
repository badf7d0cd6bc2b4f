"""Looks acts of administrators up, and makes those on what is another's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from llm_api.domain.audit import Actor, AdminAct, AuditQuery
from llm_api.domain.tasks import Task
from llm_api.domain.timestamps import utc_text
from llm_api.errors import Unavailable
from llm_api.storage import StoreError
from llm_api.storage.audit_store import AuditStore
from llm_api.storage.threads import StoreThreads

AUDIT_AWAY = Unavailable(
    "The audit cannot be read at the moment.", reason="store_unavailable", retry_after=5
)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some acts, the latest first; `cursor` is that of the next page, None behind the last."""

    acts: Sequence[AdminAct]
    cursor: int | None


class AuditService:
    """Reads the audit."""

    def __init__(self, store: AuditStore, threads: StoreThreads) -> None:
        """Read from `store`, in `threads`."""
        self._store, self._threads = store, threads

    def page(self, query: AuditQuery) -> AuditPage:
        """Return the acts that are asked for; raises Unavailable."""
        # One more, to know whether there is a next page.
        wanted = replace(query, at_most=query.at_most + 1)
        try:
            found = self._threads.run(partial(self._store.page, wanted))
        except StoreError as error:
            raise AUDIT_AWAY.replaced() from error
        acts = found[: query.at_most]
        return AuditPage(acts, acts[-1].number if len(found) > len(acts) else None)


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
