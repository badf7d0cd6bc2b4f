"""Money of jobs: reserved before anything is sent, and one usage row when a job has ended."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from llm_api.domain.calls import Caller
from llm_api.domain.tasks import Task
from llm_api.errors import ApiError
from llm_api.services.jobs.document import UNKNOWN, JobDocument
from llm_api.services.jobs.rows import is_free, row_of
from llm_api.services.pricing import MadeCost, PriceList
from llm_api.services.quotas.budgets import Cost, MakingNeeds
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
        self, needs: MakingNeeds, caller: Caller
    ) -> AbstractContextManager[QuotaLease | None]:
        """Reserve what a request needs; the result releases its places. Raises ApiError."""
        return self.quotas.acquire_for_making(needs, caller)

    def release(self, request_id: str) -> None:
        """Give back what was reserved for a request that is not made."""
        self.quotas.release_budget(request_id)

    @abstractmethod
    def cost_of(self, document: Any, at: datetime) -> MadeCost | None:
        """Return the cost of what a vendor has made for a job; None: its model has no price."""

    @abstractmethod
    def details_of(self, document: Any) -> Mapping[str, Any]:
        """Return what the usage row says of what was made, beside what all of them say."""

    def settle(self, task: Task, document: D, error: ApiError | None) -> D:
        """Write the usage row of a job that has ended, and return its document with the cost.

        A row that is written twice, because a process died in between, counts once.
        """
        if not document.attempts:
            if document.payer.has_budget:
                self.release(task.request_id)
            return document
        cost = self._settled_cost(document, task.created_at)
        row = row_of(task, document, cost, error, self.details_of(document))
        self.sink.end(row)
        log_call(row, document.payer.traceparent)
        if document.payer.has_budget and is_free(document.parts):
            # Now, and not with the row: the caller may try again at once.
            self.release(task.request_id)
        if cost is None or cost.micro is None:
            return document
        return replace(document, cost_micro=cost.micro, currency=cost.currency)

    def _settled_cost(self, document: JobDocument[Any], at: datetime) -> MadeCost | None:
        """Return what a job has cost: unknown where nobody can say whether something was made."""
        cost = self.cost_of(document, at)
        if cost is not None and any(part.state == UNKNOWN for part in document.parts):
            return replace(cost, micro=None)
        return cost


def dearest(costs: Sequence[MadeCost | None]) -> Cost | None:
    """Return the most of what a job costs at each model that may be asked, the first one's first.

    None where the first has no price; what costs another currency is left out.
    """
    first = costs[0]
    if first is None or first.micro is None:
        return None
    same = [one.micro or 0 for one in costs if one is not None and one.currency == first.currency]
    return Cost(max(same), first.currency)
