"""Money of jobs: reserved before anything is sent, and one usage row when a job has ended."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from llm_api.domain.calls import Caller
from llm_api.domain.tasks import Task
from llm_api.errors import ApiError
from llm_api.services.jobs.document import JobDocument
from llm_api.services.jobs.rows import is_free, row_of
from llm_api.services.pricing import PictureCost, PriceList
from llm_api.services.quotas.budgets import PictureNeeds
from llm_api.services.quotas.enforcer import QuotaEnforcer, QuotaLease
from llm_api.services.usage.call_log import log_call
from llm_api.services.usage.ledger import UsageSink

D = TypeVar("D", bound=JobDocument[Any])


def _need_nothing() -> None:
    """Let jobs begin without their rows."""


@dataclass(frozen=True, slots=True)
class JobAccounts(ABC):
    """Accounts for jobs.

    A job's row is written when it ends, by whichever process ends it; its task is the durable
    beginning. So the spool's `begin` has no part in it, or the death of a process would settle a
    job that another process goes on with.
    """

    sink: UsageSink
    prices: PriceList
    quotas: QuotaEnforcer
    # Raises Unavailable where the row of a job could not be written.
    require_rows: Callable[[], None] = _need_nothing

    def reserve(
        self, needs: PictureNeeds, caller: Caller
    ) -> AbstractContextManager[QuotaLease | None]:
        """Reserve what a request needs; the result releases its places. Raises ApiError."""
        return self.quotas.acquire_pictures(needs, caller)

    def release(self, request_id: str) -> None:
        """Give back what was reserved for a request that is not made."""
        self.quotas.release_budget(request_id)

    @abstractmethod
    def cost_of(self, document: Any, at: datetime) -> PictureCost | None:
        """Return what a job has cost; None where its model has no price."""

    @abstractmethod
    def details_of(self, document: Any, cost: PictureCost | None) -> Mapping[str, Any]:
        """Return what the usage row says of what was made."""

    def settle(self, task: Task, document: D, error: ApiError | None) -> D:
        """Write the usage row of a job that has ended, and return its document with the cost.

        A row that is written twice, because a process died in between, counts once.
        """
        if not document.attempts:
            if document.payer.has_budget:
                self.release(task.request_id)
            return document
        cost = self.cost_of(document, task.created_at)
        row = row_of(task, document, cost, error, self.details_of(document, cost))
        self.sink.end(row)
        log_call(row, document.payer.traceparent)
        if document.payer.has_budget and is_free(document.parts):
            # Now, and not with the row: the caller may try again at once.
            self.release(task.request_id)
        if cost is None or cost.micro is None:
            return document
        return replace(document, cost_micro=cost.micro, currency=cost.currency)
