"""Accounts for calls: one usage row for every call that is about to reach an upstream."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Any, Protocol

from llm_api.domain.calls import Caller, Completion, ModelRequest, TokenUsage
from llm_api.domain.usage import UsageRecord
from llm_api.errors import ApiError
from llm_api.services.pricing import PriceList
from llm_api.services.quotas.enforcer import QuotaEnforcer, QuotaLease
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Destination
from llm_api.services.tokens import estimate_length, estimate_prompt
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.call import Attempt, UpstreamCall

_STATUS_OF_CODE = {504: "timeout", 499: "client_closed"}
_STATUS_OF_REASON = {"server_shutdown": "aborted_shutdown"}
_UNPRICED = (None, None)


class UsageSink(Protocol):
    """Where the beginning and the end of calls are noted."""

    def begin(self, record: UsageRecord) -> None:
        """Note that a call is about to reach its upstream."""

    def end(self, record: UsageRecord) -> None:
        """Note how a call ended."""


class AccountedCall:
    """A call that is being accounted for.

    `completions` are what it has got so far; `streamed` is an answer that comes in chunks.
    """

    def __init__(self, call: UpstreamCall) -> None:
        """Take the upstream call, which counts its attempts and its time."""
        self.upstream_call = call
        self.completions: list[Completion] = []
        self.streamed: tuple[ModelRequest, StreamedAnswer] | None = None

    def usage(self, *, is_cut: bool) -> TokenUsage:
        """Add up what the upstream counted; unknown if any count is."""
        usages = [completion.usage for completion in self.completions]
        if self.streamed is not None:
            usages.append(_usage_of(*self.streamed, is_cut=is_cut))
        return reduce(TokenUsage.plus, usages) if usages else TokenUsage()


def _usage_of(request: ModelRequest, answer: StreamedAnswer, *, is_cut: bool) -> TokenUsage:
    """Return the usage of a streamed answer, estimated where it was cut before its usage came."""
    if not is_cut or answer.usage.source != "missing" or not answer.has_begun:
        return answer.usage
    prompt, completion = estimate_prompt(request.parameters), estimate_length(answer.length)
    return TokenUsage(prompt, completion, source="estimated")


def _shown(attempt: Attempt) -> dict[str, Any]:
    return {
        "upstream": attempt.line,
        "model": attempt.model,
        "reason": attempt.reason,
        "ms": round(attempt.seconds * 1000),
    }


def _status_of(error: ApiError) -> str:
    by_code = _STATUS_OF_CODE.get(error.status, "upstream_error")
    return _STATUS_OF_REASON.get(error.reason, by_code)


def _end_of_left(call: UpstreamCall) -> tuple[str, str]:
    """Say why nobody takes the rest of a stream: status and reason."""
    if call.is_shut_down:  # the last clients are cut when the process ends
        return "aborted_shutdown", "server_shutdown"
    return "client_closed", "client_closed"


def _begun(destination: Destination, caller: Caller) -> UsageRecord:
    return UsageRecord(
        request_id=caller.request_id,
        created_at=datetime.now(UTC),
        route=caller.route,
        requested_model=destination.model_asked,
        model=destination.model,
        upstream=destination.upstream.name,
        tags=caller.tags,
        lineage_id=caller.lineage_id or caller.request_id,
        key_id=None if caller.key is None else caller.key.id,
    )


class UsageLedger:
    """Writes one row a call."""

    def __init__(
        self,
        sink: UsageSink,
        prices: PriceList | None = None,
        allowances: QuotaEnforcer | None = None,
    ) -> None:
        """Take where rows go, what calls cost, and who may make how many; None is all of them."""
        self._sink = sink
        self._allowances = allowances
        self._prices = prices or PriceList({})

    @contextmanager
    def account(
        self,
        destination: Destination,
        caller: Caller,
        wanted: Callable[[], TokenEstimate],
        *,
        is_streamed: bool = False,
    ) -> Iterator[AccountedCall]:
        """Account for the call made inside the block, however it ends.

        Raises ApiError where the caller has had its share; `wanted` tells what the call may take.
        """
        granted: AbstractContextManager[QuotaLease] = nullcontext(QuotaLease())
        if self._allowances is not None:
            granted = self._allowances.granted(destination, caller, wanted, is_streamed=is_streamed)
        with granted as grant, self._noted(destination, caller, grant, is_streamed) as accounted:
            yield accounted

    @contextmanager
    def _noted(
        self,
        destination: Destination,
        caller: Caller,
        grant: QuotaLease,
        is_streamed: bool,  # noqa: FBT001  # it is passed on
    ) -> Iterator[AccountedCall]:
        started_at = time.monotonic()
        record = _begun(destination, caller)
        # The row begins with the first attempt: a call that found no place has none.
        call = destination.upstream.new_call(
            caller.is_abandoned,
            partial(self._sink.begin, record),
            caller.timing,
            is_streamed=is_streamed,
            time_limit=caller.time_limit,
        )
        accounted = AccountedCall(call)
        end = _End("error", None, 500)
        try:
            yield accounted
            end = _End("ok", None, 200)
        except ApiError as error:
            end = _End(_status_of(error), error.reason, error.status)
            raise
        except GeneratorExit:
            end = _End(*_end_of_left(call), 499)
            raise
        finally:
            if call.attempts:
                total = time.monotonic() - started_at
                row = self._ended(record, accounted, end, total)
                self._sink.end(row)
                grant.settle(_taken(row))
            else:
                grant.cancel()

    def _ended(
        self, record: UsageRecord, accounted: AccountedCall, end: "_End", total: float
    ) -> UsageRecord:
        call, last = accounted.upstream_call, accounted.upstream_call.tries[-1]
        usage = accounted.usage(is_cut=end.status != "ok")
        cost, currency = self._prices.cost(last.model, usage, record.created_at.date()) or _UNPRICED
        timing = call.timing
        # A stream's errors come after its status.
        return replace(
            record,
            status=end.status,
            reason=end.reason,
            http_status=end.http_status if accounted.streamed is None else 200,
            model=last.model,
            upstream=last.upstream,
            attempts=call.attempts,
            attempts_detail=[_shown(attempt) for attempt in call.tries],
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
        )


def _taken(row: UsageRecord) -> int | None:
    counts = row.prompt_tokens, row.completion_tokens
    return None if None in counts else sum(count or 0 for count in counts)


@dataclass(frozen=True, slots=True)
class _End:
    """How a call ended: for the row, and for the caller."""

    status: str
    reason: str | None
    http_status: int


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
