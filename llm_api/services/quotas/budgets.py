"""Keeps keys within their budgets of money and tokens.

What a call may cost at most is reserved before it is made. It is settled in the transaction that
keeps the call's usage row, with what the row says: so a budget and the ledger cannot disagree, and
a killed worker leaves nothing behind. A call whose usage is unknown is charged as much as was
reserved for it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from llm_api.domain.access import (
    NO_LIMITS,
    TOKENS,
    ApiKey,
    Budget,
    Claim,
    Limits,
    LimitState,
    Reservation,
)
from llm_api.domain.budget_periods import period_name, period_of, span_of
from llm_api.domain.money import budget_text
from llm_api.errors import Forbidden, Unavailable
from llm_api.services.pricing import PriceList
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.quotas.exceeded import over_budget
from llm_api.services.quotas.reservations import Reservations
from llm_api.services.routing.catalogue import Destination
from llm_api.storage import StoreError
from llm_api.storage.budget_store import BudgetStore
from llm_api.storage.threads import StoreThreads

# What a call may take, and where it goes.
Needs = tuple[TokenEstimate, Destination]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs at most, in millionths of a currency."""

    micro: int
    currency: str


@dataclass(frozen=True, slots=True)
class MakingNeeds:
    """What a job needs: how many pictures of which model, and what it takes at most.

    `count` is 0 for a film. `limits` are the model's own; `cost` is None where it has no price.
    """

    model: str
    count: int
    tokens: int
    cost: Cost | None = None
    limits: Limits = NO_LIMITS


class BudgetService:
    """Reserves for calls what they may cost."""

    def __init__(
        self,
        store: BudgetStore | None,
        prices: PriceList,
        threads: StoreThreads,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: Callable[[ApiKey, Reservation | None], None] | None = None,
    ) -> None:
        """Create the service.

        Args:
            store: keeps what was spent; None if the usage store cannot keep budgets.
            prices: what models cost.
            threads: runs the store's calls.
            now: the time in UTC.
            watch: called with each key that something was reserved for, and with what a budget did
                not cover.
        """
        self._watch = watch
        self._store_of_budgets = store
        self._reservations = None if store is None else Reservations(store, threads)
        self._prices = prices
        self._now = now

    def reserve(
        self, key: ApiKey, request_id: str, needs: TokenEstimate, destination: Destination
    ) -> None:
        """Reserve what a call may take of each budget that holds its key; raises ApiError."""
        now = self._now()
        wanted = self._wanted(key, needs, destination, now)
        self._reserve(key, partial(self._store().reserve, key.id, request_id, now, wanted))

    def reserve_together(self, key: ApiKey, calls: Mapping[str, Needs]) -> None:
        """Reserve for all of some calls, by their ids, or for none of them; raises ApiError."""
        now = self._now()
        claims = [
            Claim(key.id, request_id, now, self._wanted(key, needs, at, now))
            for request_id, (needs, at) in calls.items()
        ]
        self._reserve(key, partial(self._store().reserve_together, claims))

    def reserve_for_making(self, key: ApiKey, request_id: str, needs: MakingNeeds) -> None:
        """Reserve what a job may take; raises ApiError."""
        now = self._now()
        wanted = _wanted(key, needs.tokens, needs.cost, now)
        self._reserve(key, partial(self._store().reserve, key.id, request_id, now, wanted))

    def closest(self, key: ApiKey) -> LimitState | None:
        """Return the state of the budget that holds a key and has the smallest part left.

        It is as the latest reservation of this process left it; None where there was none.
        """
        store, now = self._store_of_budgets, self._now()
        if store is None:
            return None
        states = [
            _seen(store, group_id or key.id, budget, now)
            for group_id, budgets in _held(key)
            for budget in budgets
        ]
        known = [state for state in states if state is not None]
        return min(known, key=lambda state: state.remaining / state.limit, default=None)

    def _store(self) -> Reservations:
        if self._reservations is None:
            message = "The key has a budget, and this service's store cannot keep budgets."
            raise Unavailable(message, reason="budget_unavailable", retryable=False)
        return self._reservations

    def _wanted(
        self, key: ApiKey, needs: TokenEstimate, destination: Destination, now: datetime
    ) -> list[Reservation]:
        has_money = any(budget.unit != TOKENS for _, one in _held(key) for budget in one)
        cost = self._most(needs, destination, now) if has_money else None
        return _wanted(key, needs.tokens, cost, now)

    def _reserve(self, key: ApiKey, reserve: Callable[[], Reservation | None]) -> None:
        """Reserve; raises ApiError where the store fails or a budget is exceeded."""
        try:
            over = reserve()
        except StoreError as error:
            raise budget_away() from error
        if self._watch is not None:
            self._watch(key, over)
        if over is not None:
            scope = "key" if over.group_id is None else "group"
            raise over_budget(period_of(over.period), over.unit, scope)

    def release(self, request_id: str) -> None:
        """Give back what was reserved for a call that was not made."""
        if self._reservations is not None:
            self._reservations.release(request_id)

    def _most(self, needs: TokenEstimate, destination: Destination, now: datetime) -> Cost | None:
        """Return the cost at the most expensive model that may answer; None where it is unknown."""
        first = self._prices.cost(destination.model, needs.usage, now.date())
        if first is None:
            return None
        micro, currency = first
        for at in (*destination.fallbacks, *filter(None, [destination.longer_context])):
            cost = self._prices.cost(at.model, needs.usage, now.date())
            if cost is not None and cost[1] == currency:
                micro = max(micro, cost[0])
        return Cost(micro, currency)


def budget_away() -> Unavailable:
    """Return the error of a budget that the store does not tell."""
    message = "The key's budget cannot be looked up at the moment; try again."
    return Unavailable(message, reason="budget_unavailable", retry_after=1)


def without_price(currency: str) -> Forbidden:
    """Return the error of a model whose cost in the currency of a budget is not known."""
    return Forbidden(
        f"The key's budget is in {currency}, and this model has no price in it; use another"
        " model, or ask the operator of this service.",
        reason="model_without_price",
    )


def _tightest(budgets: Sequence[Budget]) -> Sequence[Budget]:
    """Leave one budget for a period and unit."""
    if len(budgets) == 1:
        return budgets
    found: dict[tuple[str, str], Budget] = {}
    for budget in sorted(budgets, key=lambda one: one.amount):
        found.setdefault((budget.period, budget.unit), budget)
    return list(found.values())


def _wanted(key: ApiKey, tokens: int, cost: Cost | None, now: datetime) -> list[Reservation]:
    """Return what a call may take of each budget of a key and its group."""
    return [
        Reservation(
            period_name(one.period, now), one.unit, _amount(one, tokens, cost), one.amount, group_id
        )
        for group_id, budgets in _held(key)
        for one in _tightest(budgets)
    ]


def _held(key: ApiKey) -> list[tuple[str | None, Sequence[Budget]]]:
    """Return the budgets that hold a key: its own, and those of its group with the group's id."""
    group = key.group
    if group is None or not group.budgets:
        return [(None, key.budgets)]
    return [(None, key.budgets), (group.id, group.budgets)]


def _amount(budget: Budget, tokens: int, cost: Cost | None) -> int:
    if budget.unit == TOKENS:
        return tokens
    if cost is not None and not cost.micro:
        return 0
    if cost is None or cost.currency != budget.unit:
        raise without_price(budget.unit)
    return cost.micro


def _seen(store: BudgetStore, holder: str, budget: Budget, now: datetime) -> LimitState | None:
    name = period_name(budget.period, now)
    if (seen := store.seen(holder, name, budget.unit)) is None:
        return None
    end = span_of(name).end
    return LimitState(
        budget_text(budget),
        budget.amount,
        max(0, budget.amount - sum(seen)),
        math.inf if end is None else (end - now).total_seconds(),
        unit=budget.unit,
    )
