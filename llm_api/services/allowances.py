"""Grants calls to models: what a key, an address or a model may take at the same time and in all.

Every call that is accounted for is granted here first, so that none goes past the limits.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from llm_api.access import Limits
from llm_api.domain import Caller
from llm_api.services.budgets import BudgetService
from llm_api.services.catalogue import Destination
from llm_api.services.needs import Needs
from llm_api.services.rates import RateCounter, parse_limits
from llm_api.services.refusals import over_concurrency, over_rate, over_tokens
from llm_api.storage.slots import Slots


@dataclass(frozen=True, slots=True)
class _Subject:
    """Somebody or something that is limited: a key, an address or a model."""

    scope: str
    name: str
    limits: Limits


class Grant:
    """What a call may take; to be settled when it is known what it took."""

    def __init__(self) -> None:
        """Begin with nothing to settle."""
        self._on_usage: list[Callable[[int], None]] = []
        self._on_cancel: list[Callable[[], None]] = []

    def settle(self, tokens: int | None) -> None:
        """Count what the call has taken in the end; None where nobody knows."""
        if tokens is not None:
            for count in self._on_usage:
                count(tokens)

    def cancel(self) -> None:
        """Give back everything: the call has reached no upstream."""
        for give_back in self._on_cancel:
            give_back()

    def when_known(self, count: Callable[[int], None]) -> None:
        """Have the tokens counted."""
        self._on_usage.append(count)

    def when_cancelled(self, give_back: Callable[[], None]) -> None:
        """Have something given back."""
        self._on_cancel.append(give_back)


class Allowances:
    """Knows the limits of callers and models."""

    def __init__(
        self, counter: RateCounter, slots: Slots, budgets: BudgetService, default: Limits
    ) -> None:
        """Take what counts, and the limits of callers who have none of their own."""
        self._counter = counter
        self._slots = slots
        self._budgets = budgets
        self._default = default

    @contextmanager
    def granted(
        self,
        destination: Destination,
        caller: Caller,
        wanted: Callable[[], Needs],
        *,
        is_streamed: bool,
    ) -> Iterator[Grant]:
        """Hold what a call needs as long as it runs; raises ApiError where it may not be made.

        `wanted` is asked only where something depends on it.
        """
        grant = Grant()
        with ExitStack() as held:
            subjects = self._subjects(destination, caller)
            for subject in subjects:
                self._hold_places(subject, caller.request_id, held, is_streamed=is_streamed)
            for subject in subjects:
                self._count(subject, caller, wanted, grant)
            if caller.key is not None and caller.key.budgets:
                self._budgets.reserve(caller.key, caller.request_id, wanted(), destination)
                grant.when_cancelled(lambda: self._budgets.release(caller.request_id))
            yield grant

    def _subjects(self, destination: Destination, caller: Caller) -> list[_Subject]:
        own = self._default if caller.key is None else caller.key.limits.or_else(self._default)
        scope = "address" if caller.key is None else "key"
        model = _Subject("model", f"model:{destination.model}", destination.limits)
        # A request has been counted before its body was read.
        return [_Subject(scope, caller.name, own.without_requests()), model]

    def _hold_places(
        self, subject: _Subject, owner: str, held: ExitStack, *, is_streamed: bool
    ) -> None:
        wanted = [("requests", subject.limits.concurrent_requests)]
        if is_streamed:
            wanted.append(("streams", subject.limits.concurrent_streams))
        for kind, limit in wanted:
            if limit is None:
                continue
            name = f"{subject.name}:{kind}"
            if not self._slots.take(name, limit, owner):
                raise over_concurrency(limit, f"{subject.scope}.concurrent_{kind}")
            held.callback(self._slots.give_back, name, owner)

    def _count(
        self, subject: _Subject, caller: Caller, wanted: Callable[[], Needs], grant: Grant
    ) -> None:
        if subject.limits.requests is not None:
            state = self._counter.take(parse_limits(subject.limits.requests), subject.name)
            if state.is_exceeded:
                raise over_rate(state, f"{subject.scope}.requests")
        if subject.limits.tokens_per_minute is None:
            return
        items, name = (
            parse_limits(f"{subject.limits.tokens_per_minute}/minute"),
            f"{subject.name}:tokens",
        )
        needed = wanted().tokens
        state = self._counter.take(items, name, cost=needed)
        known = caller.notes.limits.get("tokens")
        if known is None or state.remaining < known.remaining:
            caller.notes.limits["tokens"] = state
        if state.is_exceeded:
            raise over_tokens(needed, state, f"{subject.scope}.tokens")

        def count_rest(taken: int) -> None:
            # What is over the limit already cannot be counted any more, and need not.
            if (rest := min(taken - needed, state.limit)) > 0:
                self._counter.take(items, name, cost=rest)

        grant.when_known(count_rest)
