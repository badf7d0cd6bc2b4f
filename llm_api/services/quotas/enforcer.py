"""Enforces limits and budgets: what a key, an address or a model may take at once and in all.

Every call that is accounted for acquires a lease here first, so that none goes past the limits.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import Any, Self

from llm_api.domain.access import BUDGET, NO_LIMITS, ApiKey, Limits, LimitState
from llm_api.domain.calls import Caller, CallReport
from llm_api.errors import ApiError
from llm_api.services.quotas.budgets import BudgetService, MakingNeeds
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.quotas.exceeded import over_concurrency, over_images, over_rate, over_tokens
from llm_api.services.quotas.rate_counter import RateCounter, parse_limits
from llm_api.services.quotas.subjects import IMAGES, TOKENS, Subject
from llm_api.services.routing.catalogue import Destination
from llm_api.storage.redis.concurrency import ConcurrencyCounter

_UNLIMITED: AbstractContextManager[None] = nullcontext()


class QuotaLease:
    """What a call was granted; settled when it is known what the call took.

    `limits` are the limits of `requests`, `tokens` and `budget` that the caller is closest to. As a
    context manager it releases the places of its call at the end.
    """

    def __init__(self, counter: RateCounter, budgets: BudgetService, caller: Caller) -> None:
        """Create a lease without anything granted."""
        self.limits: dict[str, LimitState] = {}
        self._counter = counter
        self._budgets = budgets
        self._caller = caller
        self._reserved_tokens: list[tuple[Sequence[Any], str, int]] = []
        self._has_budget = False
        self._places: list[tuple[ConcurrencyCounter, str]] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the places."""
        for counter, name in self._places:
            counter.release(name, self._caller.request_id)

    def add_places(
        self, subject: Subject, counter: ConcurrencyCounter, *, is_streamed: bool
    ) -> None:
        """Count a call in progress until the end of the block; raises RateLimited."""
        wanted = [("requests", subject.limits.concurrent_requests)]
        if is_streamed:
            wanted.append(("streams", subject.limits.concurrent_streams))
        for kind, limit in wanted:
            if limit is None:
                continue
            name = f"{subject.name}:{kind}"
            if not counter.acquire(name, limit, self._caller.request_id):
                raise over_concurrency(limit, f"{subject.scope}.concurrent_{kind}")
            self._places.append((counter, name))

    def count(
        self,
        subjects: Sequence[Subject],
        estimate: Callable[[], TokenEstimate],
        destination: Destination,
    ) -> None:
        """Count the call against the rates of `subjects` and the budgets of its key.

        `estimate` says how many tokens it may take, and `destination` what they cost. Raises
        ApiError if a limit is exceeded.
        """
        for subject in subjects:
            self._count_request(subject)
            if subject.limits.tokens_per_minute is not None:
                self._count_tokens(subject, estimate().tokens)
        key = self._caller.key
        if key is not None and (key.budgets or (key.group and key.has_budgets)):
            try:
                if not self._caller.has_reserved:
                    self._budgets.reserve(key, self._caller.request_id, estimate(), destination)
            finally:
                self._record_budget(key)
            self._has_budget = True

    def count_making(self, subjects: Sequence[Subject], needs: MakingNeeds) -> None:
        """Count a job as `count` does a call for tokens; raises ApiError."""
        for subject in subjects:
            self._count_request(subject)
            if subject.limits.images_per_minute is not None:
                items = parse_limits(f"{subject.limits.images_per_minute}/minute")
                state = self._counter.hit(items, subject.name + IMAGES, cost=needs.count)
                if state.is_exceeded:
                    raise over_images(needs.count, state, f"{subject.scope}.images")
        key = self._caller.key
        if key is not None and (key.budgets or (key.group and key.has_budgets)):
            try:
                self._budgets.reserve_for_making(key, self._caller.request_id, needs)
            finally:
                self._record_budget(key)

    def _count_request(self, subject: Subject) -> None:
        if subject.limits.requests is None:
            return
        items = parse_limits(subject.limits.requests)
        state = self._counter.hit(items, subject.name)
        self._record("requests", state)
        if state.is_exceeded:
            raise over_rate(state, f"{subject.scope}.requests")

    def _count_tokens(self, subject: Subject, needed: int) -> None:
        items = parse_limits(f"{subject.limits.tokens_per_minute}/minute")
        name = subject.name + TOKENS
        state = self._counter.hit(items, name, cost=needed)
        self._record("tokens", state)
        if state.is_exceeded:
            raise over_tokens(needed, state, f"{subject.scope}.tokens")
        self._reserved_tokens.append((items, name, needed))

    def _record_budget(self, key: ApiKey) -> None:
        """Keep what is left of the key's budgets, also for a call that they do not cover."""
        if (state := self._budgets.closest(key)) is not None:
            self.limits[BUDGET] = state

    def _record(self, kind: str, state: LimitState) -> None:
        """Keep a state if none of its kind is closer to the limit."""
        known = self.limits.get(kind)
        if known is None or state.is_exceeded or state.remaining < known.remaining:
            self.limits[kind] = state

    def settle(self, report: CallReport) -> None:
        """Count the tokens that the call has taken, or give back the budget of one never sent.

        A budget is settled by the call's usage row. Unknown tokens stay counted as estimated.
        """
        if not report.attempts:
            if self._has_budget:
                self._budgets.release(self._caller.request_id)
            return
        prompt, completion = report.usage.prompt_tokens, report.usage.completion_tokens
        if prompt is None or completion is None:
            return
        for items, name, reserved in self._reserved_tokens:
            if prompt + completion > reserved:
                self._counter.add(items, name, prompt + completion - reserved)


class _LimitsTold:
    """Adds to an ApiError what is known of the limits that a lease has counted."""

    __slots__ = ("_lease",)

    def __init__(self, lease: QuotaLease) -> None:
        self._lease = lease

    def __enter__(self) -> None:
        """Do nothing yet."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise the error with the limits."""
        if isinstance(error, ApiError):
            raise error.replaced(report=CallReport(limits=self._lease.limits)) from error


class _Once:
    """Estimates once, and only if it is asked. To make a `functools.cache` takes 5 µs a call."""

    __slots__ = ("_estimate", "_known")

    def __init__(self, estimate: Callable[[], TokenEstimate]) -> None:
        self._estimate = estimate
        self._known: TokenEstimate | None = None

    def __call__(self) -> TokenEstimate:
        if self._known is None:
            self._known = self._estimate()
        return self._known


class QuotaEnforcer:
    """Knows the limits of callers and models."""

    def __init__(
        self,
        counter: RateCounter,
        concurrency: ConcurrencyCounter,
        budgets: BudgetService,
        default: Limits,
        on_granted: Callable[[], None] = lambda: None,
    ) -> None:
        """Create an enforcer.

        Args:
            counter: counts requests and tokens by time.
            concurrency: counts the calls in progress.
            budgets: reserves money and tokens.
            default: limits of callers who have none of their own.
            on_granted: is told of every call that limits or budgets let pass.
        """
        self._on_granted = on_granted
        self._counter = counter
        self._concurrency = concurrency
        self._budgets = budgets
        # A request was counted before its body was read.
        self._all = default
        self._default = default.of_chat()
        # Of hundreds of keys few have limits of their own: to put them together takes 3 µs.
        self._own = lru_cache(1024)(lambda own: own.or_else(self._default).of_chat())

    def acquire(
        self,
        destination: Destination,
        caller: Caller,
        estimate: Callable[[], TokenEstimate],
        *,
        is_streamed: bool,
    ) -> AbstractContextManager[QuotaLease | None]:
        """Acquire quota for a call, which ends with the block; None if nothing limits it.

        Args:
            destination: where the call goes; its model may have limits.
            caller: whose key or address is limited.
            estimate: how many tokens the call may take; called only if a limit depends on it.
            is_streamed: whether the limit of concurrent streams applies.

        Raises:
            RateLimited: a limit or budget is exceeded.
            Forbidden: the key's budget has no price for this model.
            Unavailable: the budget cannot be looked up.
        """
        subjects = self._subjects(destination, caller)
        key = caller.key
        if not subjects and (key is None or not (key.budgets or key.group)):
            return _UNLIMITED
        lease = QuotaLease(self._counter, self._budgets, caller)
        try:
            for subject in subjects:
                lease.add_places(subject, self._concurrency, is_streamed=is_streamed)
            with _LimitsTold(lease):
                lease.count(subjects, _Once(estimate), destination)
        except BaseException:
            lease.__exit__()
            raise
        self._on_granted()
        return lease

    def acquire_for_making(
        self, needs: MakingNeeds, caller: Caller
    ) -> AbstractContextManager[QuotaLease | None]:
        """Acquire quota for a job; see `acquire`.

        What was reserved of a budget is settled by the call's usage row, or released.
        """
        own = self._all if caller.key is None else caller.key.limits.or_else(self._all)
        scope = "address" if caller.key is None else "key"
        # The request itself was counted before its body was read.
        subjects = [
            Subject(scope, caller.name, replace(own, requests=None)),
            Subject("model", f"model:{needs.model}", needs.limits),
        ]
        if caller.key is not None and caller.key.group is not None:
            group = caller.key.group
            subjects.append(Subject("group", group.id, replace(group.limits, requests=None)))
        lease = QuotaLease(self._counter, self._budgets, caller)
        try:
            for subject in subjects:
                lease.add_places(subject, self._concurrency, is_streamed=False)
            with _LimitsTold(lease):
                lease.count_making(subjects, needs)
        except BaseException:
            lease.__exit__()
            raise
        self._on_granted()
        return lease

    def release_budget(self, request_id: str) -> None:
        """Give back what was reserved for a call that reached no upstream."""
        self._budgets.release(request_id)

    def _subjects(self, destination: Destination, caller: Caller) -> list[Subject]:
        """List what is limited beyond the requests of a caller."""
        found, key, own = [], caller.key, self._default
        if key is not None and key.limits != NO_LIMITS:
            own = self._own(key.limits)
        if own != NO_LIMITS:
            found.append(Subject("address" if key is None else "key", caller.name, own))
        if key is not None and (group := key.group) is not None and group.limits != NO_LIMITS:
            found.append(Subject("group", group.id, group.limits.of_chat()))
        if destination.limits != NO_LIMITS:
            found.append(Subject("model", f"model:{destination.model}", destination.limits))
        return found
