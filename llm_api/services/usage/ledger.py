"""Accounts for calls: one usage row for every call that is about to reach an upstream."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Protocol

from llm_api.domain.calls import Caller, CallReport, Completion, Fallback, ModelRequest, TokenUsage
from llm_api.domain.usage import UsageRecord
from llm_api.errors import ApiError
from llm_api.services.pricing import PriceList
from llm_api.services.quotas.enforcer import QuotaEnforcer, QuotaLease
from llm_api.services.quotas.estimates import TokenEstimate, estimate_length, estimate_prompt
from llm_api.services.routing.catalogue import Destination
from llm_api.services.usage.call_facts import described
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.protocol import UpstreamStream

_STATUS_BY_CODE = {504: "timeout", 499: "client_closed"}
_STATUS_BY_REASON = {"server_shutdown": "aborted_shutdown"}
_UNPRICED: tuple[int | None, str | None] = (None, None)


class UsageSink(Protocol):
    """Where the beginning and the end of calls are written."""

    def begin(self, record: UsageRecord) -> None:
        """Write that a call is about to reach its upstream; raises ApiError if it must not."""

    def end(self, record: UsageRecord) -> None:
        """Write how a call ended."""


class AccountedCall:
    """A call whose answers are accounted for."""

    def __init__(self, call: UpstreamCall, lease: QuotaLease | None) -> None:
        """Account for an upstream call that runs under a lease, if it needs one."""
        self.call = call
        self._lease = lease
        self._completions: list[Completion] = []
        self._streamed: tuple[ModelRequest, UpstreamStream] | None = None
        self._final: CallReport | None = None

    def complete(self, at: Destination, request: ModelRequest) -> Completion:
        """Return the whole answer of the model `at` a destination to `request`; raises ApiError."""
        completion = at.upstream.complete(
            at.model, request, self.call, model_was_named=at.requested_model is not None
        )
        self._completions.append(completion)
        return completion

    def stream(
        self, at: Destination, request: ModelRequest, *, shows_usage: bool
    ) -> UpstreamStream:
        """Return the answer of the model `at` a destination as it comes in.

        `shows_usage` adds a last chunk with the usage. Raises ApiError if it does not begin.
        """
        stream = at.upstream.stream(
            at.model,
            request,
            self.call,
            model_was_named=at.requested_model is not None,
            shows_usage=shows_usage,
        )
        self._streamed = (request, stream)
        return stream

    @property
    def is_streaming(self) -> bool:
        """Whether a streamed answer has begun."""
        return self._streamed is not None

    def report(self, fallback: Fallback | None = None) -> CallReport:
        """Return what is known of the call, so far or in the end."""
        report = self._final or self._report(is_cut=False)
        return report if fallback is None else replace(report, fallback=fallback)

    def end(self, *, is_cut: bool) -> CallReport:
        """Return what is known in the end; the usage of a stream that `is_cut` is estimated."""
        self._final = self._report(is_cut=is_cut)
        return self._final

    def _report(self, *, is_cut: bool) -> CallReport:
        attempts, timing, client_deadline_passed = self.call.progress()
        return CallReport(
            attempts,
            timing,
            self._usage(is_cut=is_cut),
            len(self._completions),
            self._dropped,
            None,
            {} if self._lease is None else self._lease.limits,
            client_deadline_passed,
        )

    @property
    def _dropped(self) -> tuple[str, ...]:
        if self._streamed is not None:
            return self._streamed[1].dropped
        return self._completions[-1].dropped if self._completions else ()

    def _usage(self, *, is_cut: bool) -> TokenUsage:
        usages = [completion.usage for completion in self._completions]
        if self._streamed is not None:
            usages.append(_streamed_usage(*self._streamed, is_cut=is_cut))
        return reduce(TokenUsage.plus, usages) if usages else TokenUsage()


def _streamed_usage(request: ModelRequest, stream: UpstreamStream, *, is_cut: bool) -> TokenUsage:
    if not is_cut or stream.usage.source != "missing":
        return stream.usage
    prompt, completion = estimate_prompt(request.parameters), estimate_length(stream.length)
    return TokenUsage(prompt, completion, source="estimated")


@dataclass(frozen=True, slots=True)
class _End:
    """How a call ended: for the row, and for the caller."""

    status: str
    reason: str | None
    http_status: int


class UsageLedger:
    """Writes one row a call."""

    def __init__(
        self,
        sink: UsageSink,
        prices: PriceList | None = None,
        quotas: QuotaEnforcer | None = None,
    ) -> None:
        """Create a ledger.

        Args:
            sink: where usage rows are written.
            prices: what models cost; None leaves every cost unknown.
            quotas: limits and budgets; None enforces none.
        """
        self.streams = 0  # in progress
        self._sink = sink
        self._quotas = quotas
        self._prices = prices or PriceList({})

    @contextmanager
    def account(
        self,
        destination: Destination,
        caller: Caller,
        estimate: Callable[[], TokenEstimate],
        *,
        is_streamed: bool = False,
    ) -> Iterator[AccountedCall]:
        """Account for the call made inside the block, however it ends.

        Args:
            destination: where the call goes first.
            caller: who pays.
            estimate: how many tokens the call may take; called only if a limit depends on it.
            is_streamed: whether the answer is streamed.

        Raises:
            ApiError: if a limit or budget is exceeded, or what the block raises, with the report
                of the call.
        """
        lease: AbstractContextManager[QuotaLease | None] = nullcontext()
        if self._quotas is not None:
            lease = self._quotas.acquire(destination, caller, estimate, is_streamed=is_streamed)
        with lease as acquired:
            yield from self._recorded(destination, caller, acquired, is_streamed=is_streamed)

    def _recorded(
        self,
        destination: Destination,
        caller: Caller,
        lease: QuotaLease | None,
        *,
        is_streamed: bool,
    ) -> Iterator[AccountedCall]:
        started_at, record = time.monotonic(), _begun(destination, caller)
        # The row begins with the first attempt: a call that was never sent has none.
        call = destination.upstream.new_call(
            caller.is_disconnected,
            partial(self._sink.begin, record),
            is_streamed=is_streamed,
            time_limit=caller.time_limit,
            caller=caller,
        )
        accounted = AccountedCall(call, lease)
        end = _End("error", None, 500)
        self.streams += is_streamed
        try:
            yield accounted
            end = _End("ok", None, 200)
        except ApiError as error:
            end = _End(_status_of(error), error.reason, error.status)
            raise error.replaced(report=accounted.report()) from error
        except GeneratorExit:
            end = _end_of_disconnected(call)
            raise
        finally:
            self.streams -= is_streamed
            report = accounted.end(is_cut=end.status != "ok")
            if report.attempts:
                if accounted.is_streaming:  # its errors come after its status
                    end = _End(end.status, end.reason, 200)
                self._settle(
                    self._ended(record, report, end, time.monotonic() - started_at), caller
                )
            if lease is not None:
                lease.settle(report)

    def _settle(self, row: UsageRecord, caller: Caller) -> None:
        self._sink.end(row)
        if caller.on_settled is not None:
            caller.on_settled(row)

    def _ended(
        self, record: UsageRecord, report: CallReport, end: _End, total: float
    ) -> UsageRecord:
        """Return the row of a call that took `total` seconds."""
        last, usage, timing = report.attempts[-1], report.usage, report.timing
        cost, currency = _UNPRICED
        if last.model in self._prices.by_model or self._prices.has_patterns:
            day = record.created_at.date()
            cost, currency = self._prices.cost(last.model, usage, day) or _UNPRICED
        # dataclasses.replace takes 3 µs, this 1.
        return UsageRecord(
            request_id=record.request_id,
            created_at=record.created_at,
            route=record.route,
            requested_model=record.requested_model,
            tags=record.tags,
            lineage_id=record.lineage_id,
            key_id=record.key_id,
            group_id=record.group_id,
            status=end.status,
            reason=end.reason,
            http_status=end.http_status,
            model=last.model,
            upstream=last.upstream,
            attempts=len(report.attempts),
            attempts_detail=[described(attempt) for attempt in report.attempts],
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            images=usage.images,
            usage_source=usage.source,
            cost_micro=cost,
            currency=currency,
            first_token_ms=_ms(timing.first_token),
            upstream_ms=_ms(timing.upstream),
            overhead_ms=_ms(max(0.0, total - timing.queue - timing.upstream)),
            total_ms=_ms(total),
            shown_id=record.shown_id,
        )


def _begun(destination: Destination, caller: Caller) -> UsageRecord:
    return UsageRecord(
        request_id=caller.request_id,
        created_at=datetime.now(UTC),
        route=caller.route,
        requested_model=caller.requested_model or destination.requested_model,
        model=destination.model,
        upstream=destination.upstream.name,
        tags=caller.tags,
        lineage_id=caller.lineage_id or caller.request_id,
        key_id=None if caller.key is None else caller.key.id,
        group_id=caller.key.group.id if caller.key and caller.key.group else None,
        shown_id=caller.shown_id or None,
    )


def _status_of(error: ApiError) -> str:
    by_code = _STATUS_BY_CODE.get(error.status, "upstream_error")
    return _STATUS_BY_REASON.get(error.reason, by_code)


def _end_of_disconnected(call: UpstreamCall) -> _End:
    """Return how a stream ended that its client does not read to the end."""
    if call.is_shut_down:  # the last clients are disconnected when the process ends
        return _End("aborted_shutdown", "server_shutdown", 499)
    return _End("client_closed", "client_closed", 499)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
