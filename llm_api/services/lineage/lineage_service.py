"""Records what happens in lineages, returns it, and takes what people say of pictures."""

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from llm_api.domain.access import ApiKey
from llm_api.domain.audit import FEEDBACK_GIVE, Actor, AdminAct
from llm_api.domain.lineage import FEEDBACK, PURGE, REWRITE, Feedback, LineageEvent
from llm_api.domain.tasks import Task
from llm_api.errors import NotFound, Unavailable
from llm_api.services.lineage.facts import changed_share, facts_of, texts_of
from llm_api.services.lineage.late_records import LateRecords
from llm_api.services.lineage.lineage_reports import LearningReports
from llm_api.storage import LineageStore, StoreError, TaskStore
from llm_api.storage.threads import StoreThreads

NO_SUCH_LINEAGE = NotFound("There is no such lineage.", reason="lineage_not_found")
LINEAGE_AWAY = Unavailable(
    "Lineages cannot be looked up at the moment; try again.",
    reason="store_unavailable",
    retry_after=5,
)
# An event is in the database half a second after it was written down, by whichever worker.
_ON_ITS_WAY_S, _LOOKS = 0.5, 2
_MAX_ID = 64
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
logger = logging.getLogger(__name__)
_T = TypeVar("_T")


class EventSink(Protocol):
    """Where events are written, without waiting for a database."""

    def add(self, event: LineageEvent) -> None:
        """Write an event down; raises OSError."""

    def flush(self) -> None:
        """Move all events of this process into the store; raises StoreError."""


class Pictures(Protocol):
    """Where files are looked up."""

    def find(self, file_id: str, key: ApiKey | None) -> Any:
        """Return a file that a caller may read, whose `task_id` is its job's; raises NotFound."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What is known of a lineage: its events, in the order of their times."""

    id: str
    events: Sequence[LineageEvent]

    def of_kind(self, kind: str) -> list[LineageEvent]:
        """Return the events of a kind."""
        return [event for event in self.events if event.kind == kind]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of lineages, and for how long; `keep` None keeps events for ever."""

    keeps_texts: bool
    keep: timedelta | None
    keep_texts: timedelta


@dataclass(frozen=True, slots=True)
class LineageStores:
    """Where events are, where jobs and the files of their pictures are, and what runs both."""

    events: LineageStore
    tasks: TaskStore
    files: Pictures
    threads: StoreThreads


class LineageService:
    """Keeps lineages. A key sees its own, and an admin's key those of all."""

    def __init__(  # noqa: PLR0913  # time is an argument for tests
        self,
        stores: LineageStores,
        sink: EventSink,
        plan: Keeping,
        reports: LearningReports,
        *,
        count: Callable[[LineageEvent], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Create it.

        Args:
            stores: where it looks.
            sink: takes new events.
            plan: what is kept.
            reports: what is learned from all lineages.
            count: is told of every event, with all its facts.
            now: the time in UTC.
            pause: sleeps for so many seconds.
        """
        self.reports = reports
        self.late = LateRecords(self.record)
        self._store, self._tasks, self._files = stores.events, stores.tasks, stores.files
        self._threads, self._sink, self._plan = stores.threads, sink, plan
        self._now, self._pause, self._count = now, pause, count

    def record(self, event: LineageEvent) -> None:
        """Write an event down; whatever is wrong with that is logged and raises nothing.

        It takes as long as a line in a file; texts are left out unless they are to be kept. An
        event without a lineage belongs to that of its job, which is looked up, or is its own.
        """
        try:
            self._count(event)
            if not event.lineage_id:
                event = replace(event, lineage_id=self._lineage_of(event))
            self._sink.add(self._kept(event))
        except Exception:
            # It is written beside an answer, which must not fail for it, whatever is wrong here.
            logger.exception("lineage event not saved", extra={"kind": event.kind})

    def _lineage_of(self, event: LineageEvent) -> str:
        """Return the lineage of an event's job; without one, it is the request itself."""
        job_id = event.job_id
        task = job_id and self._threads.run(partial(self._tasks.get, job_id))
        own = str(event.facts["request_id"])
        return (task.lineage_id or task.request_id) if task else own

    def _kept(self, event: LineageEvent) -> LineageEvent:
        event_id = event.id or f"ev_{secrets.token_hex(16)}"
        return replace(
            event,
            facts=facts_of(event.kind, event.facts),
            texts=texts_of(event.texts) if self._plan.keeps_texts else {},
            id=event_id if len(event_id) <= _MAX_ID else _digest(event_id),
        )

    def get(self, lineage_id: str, key: ApiKey | None) -> Lineage:
        """Return a lineage; raises NotFound for one that the key has no part in."""
        is_one = _ID.fullmatch(lineage_id)  # nothing has another
        events = self._awaited(lambda: self._seen(lineage_id, key)) if is_one else []
        if not events:
            raise NotFound(NO_SUCH_LINEAGE.message, reason=NO_SUCH_LINEAGE.reason)
        return Lineage(lineage_id, [event for event in events if event.kind != PURGE])

    def _seen(self, lineage_id: str, key: ApiKey | None) -> list[LineageEvent]:
        events = self._do(partial(self._store.of_lineage, lineage_id))
        return [event for event in events if _is_of(event.key_id, key)]

    def _awaited(self, look: Callable[[], _T]) -> _T:
        """Look for what another worker may just be writing, until it is there or cannot come."""
        self.flush()
        for _ in range(_LOOKS):
            if found := look():
                return found
            self._pause(_ON_ITS_WAY_S)
        return look()

    def flush(self) -> None:
        """Move what this process has recorded into the store, as far as that can be reached."""
        self.late.flush()
        try:
            self._sink.flush()
        except StoreError:  # what is looked for says so, if it cannot be read either
            logger.warning("lineage events wait for the database")

    def feedback(self, said: Feedback, key: ApiKey | None, by: Actor | None = None) -> LineageEvent:
        """Store what a person says of a lineage, a job or a picture, in place of what was said.

        `by` is an admin, whose act is stored where the lineage is another's.

        Returns:
            What was stored.

        Raises:
            NotFound: there is no such lineage, job or picture, or it is another key's.
            Unavailable: a store cannot be used at the moment.
        """
        job_id = said.job_id
        if said.picture_id is not None:
            job_id = str(self._files.find(said.picture_id, key).task_id)
        lineage_id, key_id = (
            self._owner(said.lineage_id or "", key) if job_id is None else self._of_job(job_id, key)
        )
        about = said.picture_id or job_id or ""
        event = LineageEvent(
            lineage_id,
            FEEDBACK,
            key_id,
            self._now(),
            facts=self._facts(said, lineage_id, key, job_id),
            texts={"edited_prompt": said.edited_prompt or ""},
            id=_digest("feedback", lineage_id, key_id or "", about),
            job_id=job_id,
        )
        kept = self._kept(event)
        act = None
        if by is not None and by.id != key_id:
            act = AdminAct(kept.at, by, FEEDBACK_GIVE, lineage_id, after=kept.facts)
        self._do(partial(self._store.put, kept, act))
        self._count(event)
        return kept

    def _owner(self, lineage_id: str, key: ApiKey | None) -> tuple[str, str | None]:
        """Return a lineage's id, and its key: that of an admin, if it has a part in it."""
        owners = [event.key_id for event in self.get(lineage_id, key).events]
        own = None if key is None else key.id
        return lineage_id, own if own in owners else owners[0]

    def _of_job(self, job_id: str, key: ApiKey | None) -> tuple[str, str | None]:
        """Return the lineage and the key of a job, which may be deleted by now."""
        task = self._task(job_id, key)
        if task is not None:
            return task.lineage_id or task.request_id, task.key_id
        events = self._do(partial(self._store.of_job, job_id))
        for event in events:
            if _is_of(event.key_id, key):
                return event.lineage_id, event.key_id
        raise NotFound("There is no such job.", reason="job_not_found")

    def _task(self, job_id: str, key: ApiKey | None) -> Task | None:
        task = self._do(partial(self._tasks.get, job_id))
        return task if task is not None and _is_of(task.key_id, key) else None

    def _facts(
        self, said: Feedback, lineage_id: str, key: ApiKey | None, job_id: str | None
    ) -> dict[str, Any]:
        known = {"outcome": said.outcome, "score": said.score, "picture_id": said.picture_id}
        facts = {name: value for name, value in known.items() if value is not None}
        if said.edited_prompt is None:
            return facts
        before = self._prompt_before(lineage_id, key, job_id)
        changed = None if before is None else changed_share(before, said.edited_prompt)
        return {**facts, "edited_length": len(said.edited_prompt), "changed": changed}

    def _prompt_before(self, lineage_id: str, key: ApiKey | None, job_id: str | None) -> str | None:
        """Return the prompt that a person has edited: a job's, or the rewrite; None if not kept."""
        events = self._seen(lineage_id, key)
        jobs = [job_id] if job_id else [event.job_id for event in reversed(events) if event.job_id]
        task = self._task(jobs[0], key) if jobs else None
        if task is not None:
            prompt: str | None = task.document.get("request", {}).get("prompt")
            return prompt
        rewrites = [event.texts for event in events if event.kind == REWRITE]
        return rewrites[-1].get("optimized_prompt") if rewrites else None

    def purge(self, task: Task) -> None:
        """Delete the texts of a task's lineage, also those on their way; raises Unavailable."""
        lineage_id = task.lineage_id or task.request_id
        event = LineageEvent(
            lineage_id,
            PURGE,
            task.key_id,
            self._now(),
            id=_digest(PURGE, lineage_id, task.key_id or ""),
        )
        self.flush()
        self._do(partial(self._store.purge, event))

    def forget(self, at_most: int) -> int:
        """Delete events and texts whose time is over, and return how many; raises StoreError."""
        now, plan = self._now(), self._plan
        texts = partial(self._store.forget_texts, now - plan.keep_texts, at_most)
        count = self._threads.run(texts)
        if plan.keep is not None:
            count += self._threads.run(partial(self._store.prune, now - plan.keep, at_most))
        return count

    def _do(self, act: Callable[[], _T]) -> _T:
        try:
            return self._threads.run(act)
        except StoreError as error:
            raise Unavailable(
                LINEAGE_AWAY.message, reason="store_unavailable", retry_after=5
            ) from error


def _is_of(owner: str | None, key: ApiKey | None) -> bool:
    """Whether a key sees what is another's: its own, and an admin's all."""
    return owner == (None if key is None else key.id) or (key is not None and key.is_admin)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
