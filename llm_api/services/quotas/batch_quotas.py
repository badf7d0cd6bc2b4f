"""What a request for many calls at once may take, beside what each of the calls may."""

from collections.abc import Mapping

from llm_api.domain.access import Limits, LimitState
from llm_api.domain.calls import Caller
from llm_api.services.quotas.budgets import BudgetService, Needs
from llm_api.services.quotas.exceeded import over_prompts
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits


class BatchQuotas:
    """Counts the calls of a request as so many requests, and reserves for all of them at once."""

    def __init__(self, counter: RateCounter, budgets: BudgetService, default: Limits) -> None:
        """Create it.

        Args:
            counter: counts requests by time.
            budgets: reserves money and tokens.
            default: limits of callers who have none of their own.
        """
        self._counter = counter
        self._budgets = budgets
        self._default = default

    def places(self, caller: Caller) -> int | None:
        """Return how many calls a caller may have in progress; None for any number."""
        found = [limits.concurrent_requests for _, _, limits in self._held(caller)]
        return min((most for most in found if most is not None), default=None)

    def count(self, caller: Caller, calls: int) -> Mapping[str, LimitState]:
        """Count a request for so many calls; it was counted as one before its body was read.

        Returns the state of the limit by its kind. Raises RateLimited.
        """
        if calls == 1:
            return {}
        states = []
        for scope, name, limits in self._held(caller):
            if limits.requests is None:
                continue
            state = self._counter.hit(parse_limits(limits.requests), name, cost=calls - 1)
            if state.is_exceeded:
                raise over_prompts(calls, state, f"{scope}.requests")
            states.append(state)
        closest = min(states, key=lambda state: state.remaining, default=None)
        return {} if closest is None else {"requests": closest}

    def reserve(self, caller: Caller, calls: Mapping[str, Needs]) -> None:
        """Reserve what calls may take, by their ids, in one transaction; raises ApiError."""
        if caller.key is not None and caller.key.has_budgets and calls:
            self._budgets.reserve_together(caller.key, calls)

    def release(self, request_id: str) -> None:
        """Give back what was reserved for a call that was not made."""
        self._budgets.release(request_id)

    def _held(self, caller: Caller) -> list[tuple[str, str, Limits]]:
        """Return by whose limits a caller is held: a scope, a name to count under, the limits."""
        key = caller.key
        if key is None:
            return [("address", caller.name, self._default)]
        own = "key", caller.name, key.limits.or_else(self._default)
        return [own] if key.group is None else [own, ("group", key.group.id, key.group.limits)]
