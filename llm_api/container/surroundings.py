"""What the parts of the application share."""

from dataclasses import dataclass
from typing import Protocol

from llm_api.container.stores import Stores
from llm_api.domain.tracing import Resuming
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.alerts.budget_watch import BudgetWatch
from llm_api.services.pricing import PriceList
from llm_api.services.quotas.batch_quotas import BatchQuotas
from llm_api.services.quotas.budget_states import BudgetReader
from llm_api.services.quotas.enforcer import QuotaEnforcer
from llm_api.services.quotas.limit_states import LimitReader
from llm_api.settings.settings import Settings


class Closable(Protocol):
    """What has to be closed when the application ends."""

    def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rest of the application shares with the making of pictures."""

    settings: Settings
    stores: Stores
    watch: DeadlineWatcher
    prices: PriceList
    quotas: QuotaEnforcer
    batch_quotas: BatchQuotas
    budgets: BudgetReader
    limits: LimitReader
    budget_watch: BudgetWatch | None
    traces: Resuming
