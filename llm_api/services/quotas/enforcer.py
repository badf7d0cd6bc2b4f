"""Grants calls to models: what a key, an address or a model may take at the same time and in all.

Every call that is accounted for is granted here first, so that none goes past the limits.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial

from llm_api.domain.access import NO_LIMITS, Limits, LimitState
from llm_api.domain.calls import Caller
from llm_api.services.quotas.budgets import BudgetService
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.quotas.exceeded import over_concurrency, over_rate, over_tokens
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits
from llm_api.services.routing.catalogue import Destination
from llm_api.storage.redis.concurrency import ConcurrencyCounter


@dataclass(frozen=True, slots=True)
class _Subject:
    """Somebody or something that is limited: a key, an address or a model."""

    scope: str
    name: str
    limits: Limits


class QuotaLease:
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
        """Give back what can be given back: the call has reached no upstream."""
        for give_back in self._on_cancel:
            give_back()

    def when_known(self, count: Callable[[int], None]) -> None:
        """Have the tokens counted."""
        self._on_usage.append(count)

    def when_cancelled(self, give_back: Callable[[], None]) -> None:
        """Have something given back."""
        self._on_cancel.append(give_back)


class QuotaEnforcer:
    """Knows the limits of callers and models."""

    def __init__(
        self,
        counter: RateCounter,
        slots: ConcurrencyCounter,
        budgets: BudgetService,
        default: Limits,
    ) -> None:
        """Take what counts, and the limits of callers who have none of their own."""
        self._counter = counter
        self._slots = slots
        self._budgets = budgets
        # A request has been counted before its body was read.
        self._default = default.without_requests()

    @contextmanager
    def granted(
        self,
        destination: Destination,
        caller: Caller,
        wanted: Callable[[], TokenEstimate],
        *,
        is_streamed: bool,
    ) -> Iterator[QuotaLease]:
        """Hold what a call needs as long as it runs; raises ApiError where it may not be made.

        `wanted` is asked only where something depends on it.
        """
        grant = QuotaLease()
        subjects = self._subjects(destination, caller)
        if not subjects and (caller.key is None or not caller.key.budgets):
            yield grant
            return
        with ExitStack() as held:
            for subject in subjects:
                self._hold_places(subject, caller.request_id, held, is_streamed=is_streamed)
            self._count_all(subjects, destination, caller, cache(wanted), grant)
            yield grant

    def _subjects(self, destination: Destination, caller: Caller) -> list[_Subject]:
        """List what is limited beyond the requests of a caller."""
        found, key, own = [], caller.key, self._default
        if key is not None and key.limits != NO_LIMITS:
            own = key.limits.or_else(own).without_requests()
        if own != NO_LIMITS:
            found.append(_Subject("address" if key is None else "key", caller.name, own))
        if destination.limits != NO_LIMITS:
            found.append(_Subject("model", f"model:{destination.model}", destination.limits))
        return found

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
            if not self._slots.acquire(name, limit, owner):
                raise over_concurrency(limit, f"{subject.scope}.concurrent_{kind}")
            held.callback(self._slots.release, name, owner)

    def _count_all(
        self,
        subjects: list[_Subject],
        destination: Destination,
        caller: Caller,
        wanted: Callable[[], TokenEstimate],
        grant: QuotaLease,
    ) -> None:
        for subject in subjects:
            self._count_request(subject, caller)
            if subject.limits.tokens_per_minute is not None:
                self._count_tokens(subject, caller, wanted().tokens, grant)
        if caller.key is not None and caller.key.budgets:
            self._budgets.reserve(caller.key, caller.request_id, wanted(), destination)
            grant.when_cancelled(partial(self._budgets.release, caller.request_id))

    def _count_request(self, subject: _Subject, caller: Caller) -> None:
        if subject.limits.requests is None:
            return
        items = parse_limits(subject.limits.requests)
        state = self._counter.hit(items, subject.name)
        _note(caller, "requests", state)
        if state.is_exceeded:
            raise over_rate(state, f"{subject.scope}.requests")

    def _count_tokens(
        self, subject: _Subject, caller: Caller, needed: int, grant: QuotaLease
    ) -> None:
        items = parse_limits(f"{subject.limits.tokens_per_minute}/minute")
        name = f"{subject.name}:tokens"
        state = self._counter.hit(items, name, cost=needed)
        _note(caller, "tokens", state)
        if state.is_exceeded:
            raise over_tokens(needed, state, f"{subject.scope}.tokens")

        def count_rest(taken: int) -> None:
            if taken > needed:
                self._counter.add(items, name, taken - needed)

        grant.when_known(count_rest)


def _note(caller: Caller, kind: str, state: LimitState) -> None:
    """Have the caller told of a limit, if no other of its kind is closer."""
    known = caller.notes.limits.get(kind)
    if known is None or state.is_exceeded or state.remaining < known.remaining:
        caller.notes.limits[kind] = state
