"""What was spent of budgets, and what is left of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from llm_api.domain.access import TOKENS, ApiKey, Budget, KeyGroup
from llm_api.domain.budget_periods import Span, period_name, span_of
from llm_api.domain.money import budget_text, decimal_text
from llm_api.domain.timestamps import utc_text
from llm_api.errors import Unavailable
from llm_api.storage import StoreError
from llm_api.storage.budget_store import BudgetStore
from llm_api.storage.threads import StoreThreads

_KEY, _GROUP = "key", "group"  # whose a budget is


@dataclass(frozen=True, slots=True)
class BudgetState:
    """State of a budget in the present period.

    Attributes:
        holder: whose it is, `key` or `group`.
        budget: the whole of it.
        span: the period.
        spent: what calls have cost that have ended, in the unit of the budget.
        reserved: what calls in progress can cost at most.
    """

    holder: str
    budget: Budget
    span: Span
    spent: int
    reserved: int

    @property
    def left(self) -> int:
        """What another call could cost at most."""
        return max(0, self.budget.amount - self.spent - self.reserved)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON; amounts are decimal numbers in texts, as costs are in reports."""
        unit, span = self.budget.unit, self.span
        return {
            "budget": budget_text(self.budget),
            "of": self.holder,
            "period": self.budget.period,
            "unit": unit,
            "limit": _amount(self.budget.amount, unit),
            "spent": _amount(self.spent, unit),
            "reserved": _amount(self.reserved, unit),
            "left": _amount(self.left, unit),
            "starts_at": None if span.start is None else utc_text(span.start),
            "resets_at": None if span.end is None else utc_text(span.end),
        }


class BudgetReader:
    """Reads the states of budgets."""

    def __init__(
        self,
        store: BudgetStore | None,
        threads: StoreThreads,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read from `store`, by `threads`; None where nothing keeps budgets. `now` is in UTC."""
        self._store, self._threads, self._now = store, threads, now

    def of_key(self, key: ApiKey) -> list[BudgetState]:
        """Return the states of all budgets that hold a key: its own, and its group's.

        None where nothing keeps them. Raises Unavailable.
        """
        own = self._read(_KEY, key.id, key.budgets)
        return own if key.group is None else own + self.of_group(key.group)

    def of_group(self, group: KeyGroup) -> list[BudgetState]:
        """Return the states of a group's budgets, none where nothing keeps them.

        Raises Unavailable.
        """
        return self._read(_GROUP, group.id, group.budgets)

    def _read(self, holder: str, holder_id: str, budgets: Sequence[Budget]) -> list[BudgetState]:
        if self._store is None or not budgets:
            return []
        try:
            return self._threads.run(partial(self._states, self._store, holder, holder_id, budgets))
        except StoreError as error:
            message = "The budgets cannot be read at the moment."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error

    def _states(
        self, store: BudgetStore, holder: str, holder_id: str, budgets: Sequence[Budget]
    ) -> list[BudgetState]:
        now = self._now()
        names = [period_name(budget.period, now) for budget in budgets]
        return [
            BudgetState(holder, budget, span_of(name), *store.spent(holder_id, name, budget.unit))
            for name, budget in zip(names, budgets, strict=True)
        ]


def _amount(amount: int, unit: str) -> str:
    return str(amount) if unit == TOKENS else decimal_text(amount)
