"""Requests that are ready to be made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from llm_api.domain.calls import Caller, CallReport
from llm_api.domain.making import FittedRequest, Notice
from llm_api.domain.tasks import Task
from llm_api.errors import InvalidRequest
from llm_api.services.jobs.document import JobDocument, Payer, Wanted, new_parts
from llm_api.services.jobs.job_models import JobDestination

R = TypeVar("R", bound=Wanted)
_GRACE = timedelta(minutes=1)  # between the deadline of a job and that of its vendor calls


@dataclass(frozen=True, slots=True)
class Order(Generic[R]):
    """A request that is ready to be made: where it goes, and in which terms.

    `kind` is of its task, and `document` what that keeps. `others` are for when that fails;
    `prompt_original` is the caller's, `report` of the rewrite.
    """

    kind: str
    document: type[JobDocument[Any]]
    at: JobDestination
    request: R
    fitted: FittedRequest
    others: tuple[tuple[JobDestination, FittedRequest], ...]
    prompt_original: str
    notices: tuple[Notice, ...] = ()
    report: CallReport = field(default_factory=CallReport)

    @property
    def all_fitted(self) -> Sequence[FittedRequest]:
        """The request in the terms of each model that may be asked, the first one's first."""
        return [self.fitted, *(fitted for _, fitted in self.others)]

    def task(
        self,
        job_id: str,
        caller: Caller,
        now: datetime,
        *,
        keep: timedelta,
        callback_url: str | None,
    ) -> Task:
        """Return the task that is to make it; its row and its files are kept for `keep`."""
        key, payer = caller.key, Payer.of(caller)
        document = self.document(
            request=self.request,
            prompt_original=self.prompt_original,
            fitted=self.fitted,
            upstream=self.at.upstream.name,
            payer=payer,
            requested_model=self.at.requested_model,
            others=tuple((at.upstream.name, at.model) for at, _ in self.others),
            parts=new_parts(self.fitted),
            notices=self.notices,
            callback_url=callback_url,
        )
        limit = timedelta(seconds=max(one.seconds for one in self.all_fitted))
        return Task(
            id=job_id,
            kind=self.kind,
            created_at=now,
            due_at=now,
            deadline_at=now + limit + _GRACE,
            expires_at=now + keep,
            document=document.to_json(),
            key_id=None if key is None else key.id,
            request_id=caller.request_id,
            lineage_id=payer.lineage_id,
        )


def others_of(
    at: JobDestination, request: object
) -> tuple[tuple[JobDestination, FittedRequest], ...]:
    """Return the fallbacks that take the request, each with it in its terms."""
    found = []
    for one in at.fallbacks:
        try:
            found.append((one, one.upstream.fit(request, one.model)))
        except InvalidRequest:
            continue
    return tuple(found)
