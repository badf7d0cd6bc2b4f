"""Accounts for calls: one usage row for every call that is about to reach an upstream."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from llm_api.accounting import UsageRecord
from llm_api.domain import Caller, Completion, ModelRequest, TokenUsage
from llm_api.errors import ApiError
from llm_api.services.catalogue import Destination
from llm_api.services.tokens import estimate_length, estimate_prompt
from llm_api.upstream.call import Attempt, Call
from llm_api.upstream.chunks import StreamedAnswer

_STATUS_OF_CODE = {504: "timeout", 499: "client_closed"}


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

    def __init__(self, call: Call) -> None:
        """Take the upstream call, which counts its attempts and its time."""
        self.upstream_call = call
        self.completions: list[Completion] = []
        self.streamed: tuple[ModelRequest, StreamedAnswer] | None = None

    def tokens(self, record: UsageRecord) -> UsageRecord:
        """Add up what the upstream counted; unknown if any count is."""
        usages = [completion.usage for completion in self.completions]
        if self.streamed is not None:
            usages.append(_usage_of(*self.streamed, is_cut=record.status != "ok"))
        if not usages:
            return record
        source = next((u.source for u in usages if u.source != "upstream"), "upstream")
        if source not in {"upstream", "estimated"}:
            return replace(record, usage_source=source)
        return replace(
            record,
            prompt_tokens=sum(u.prompt_tokens or 0 for u in usages),
            completion_tokens=sum(u.completion_tokens or 0 for u in usages),
            usage_source=source,
        )


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


def _begun(destination: Destination, caller: Caller) -> UsageRecord:
    return UsageRecord(
        request_id=caller.request_id,
        created_at=datetime.now(UTC),
        route=caller.route,
        model_asked=destination.model_asked,
        model=destination.model,
        upstream=destination.upstream.name,
    )


class UsageLedger:
    """Writes one row a call."""

    def __init__(self, sink: UsageSink) -> None:
        """Take where rows go."""
        self._sink = sink

    @contextmanager
    def account(
        self, destination: Destination, caller: Caller, *, is_streamed: bool = False
    ) -> Iterator[AccountedCall]:
        """Account for the call made inside the block, however it ends."""
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
        status, reason = "error", None
        try:
            yield accounted
            status = "ok"
        except ApiError as error:
            status, reason = _STATUS_OF_CODE.get(error.status, "upstream_error"), error.reason
            raise
        except GeneratorExit:
            status = reason = "client_closed"  # nobody takes the rest of the stream
            raise
        finally:
            if call.attempts:
                last = call.tries[-1]
                ended = replace(
                    accounted.tokens(replace(record, status=status)),
                    model=last.model,
                    upstream=last.upstream,
                    reason=reason,
                    attempts=call.attempts,
                    tries=[_shown(attempt) for attempt in call.tries],
                    upstream_ms=round(call.timing.upstream * 1000),
                    total_ms=round((time.monotonic() - started_at) * 1000),
                )
                self._sink.end(ended)
