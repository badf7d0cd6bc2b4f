"""Every call that was about to reach an upstream has one row, however it ended."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from llm_api.domain.calls import ModelRequest, TokenUsage
from llm_api.errors import ApiError, InvalidRequest, UpstreamFault, UpstreamTimeout
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.routing.catalogue import Destination
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.faults import ClientGone, ShuttingDown
from tests.services.calls import CALLER, AnsweringUpstream, ListSink, client_of

DESTINATION = Destination(client_of(), "the-model", "the-asked-model")
COUNTED = TokenUsage(5, 2, "upstream")
NEEDS = partial(TokenEstimate, 5, 2)
UNKNOWN = TokenUsage(None, None, "invalid")


@pytest.fixture
def sink() -> ListSink:
    """Keep rows in a list."""
    return ListSink()


@pytest.fixture
def ledger(sink: ListSink) -> UsageLedger:
    """Account into that list."""
    return UsageLedger(sink)


def call_with(ledger: UsageLedger, *usages: TokenUsage) -> None:
    upstream: Any = AnsweringUpstream(*usages)
    at = Destination(upstream, "scripted", "the-asked-model")
    with ledger.account(at, CALLER, NEEDS) as accounted:
        for _ in usages:
            accounted.complete(at, ModelRequest(None, {}))


def fail_with(ledger: UsageLedger, error: BaseException) -> None:
    def attempt() -> None:
        with ledger.account(DESTINATION, CALLER, NEEDS) as accounted:
            with accounted.call.attempt("fast", "fast", "scripted"):
                pass
            raise error

    with pytest.raises(type(error)):
        attempt()


def test_a_good_call_has_one_row(ledger: UsageLedger, sink: ListSink) -> None:
    call_with(ledger, COUNTED)

    [row] = sink.ended
    assert (row.request_id, row.route) == ("request-1", "/api/v1/llm/chat")
    assert (row.requested_model, row.model, row.upstream) == ("the-asked-model", "scripted", "fast")
    assert (row.status, row.reason, row.attempts) == ("ok", None, 1)


def test_a_row_says_when_the_call_was(ledger: UsageLedger, sink: ListSink) -> None:
    call_with(ledger, COUNTED)

    [row] = sink.ended
    assert row.created_at.tzinfo is UTC
    assert timedelta(0) <= datetime.now(UTC) - row.created_at < timedelta(minutes=1)
    assert row.total_ms is not None
    assert row.upstream_ms == 0


def test_before_it_ends_a_call_counts_as_killed(ledger: UsageLedger, sink: ListSink) -> None:
    with ledger.account(DESTINATION, CALLER, NEEDS) as accounted:
        with accounted.call.attempt("fast", "fast", "scripted"):
            pass

        statuses = [row.status for row in sink.begun], [row.status for row in sink.ended]

    assert statuses == (["killed"], [])


def test_a_call_without_an_attempt_has_no_row(ledger: UsageLedger, sink: ListSink) -> None:
    with ledger.account(DESTINATION, CALLER, NEEDS):
        pass

    assert (sink.begun, sink.ended) == ([], [])


def test_a_call_turned_away_has_no_row(ledger: UsageLedger, sink: ListSink) -> None:
    with pytest.raises(ApiError), ledger.account(DESTINATION, CALLER, NEEDS):
        raise UpstreamFault("No place.", reason="overloaded")

    assert (sink.begun, sink.ended) == ([], [])


def test_a_repeated_call_has_one_row_with_all_its_attempts(
    ledger: UsageLedger, sink: ListSink
) -> None:
    call_with(ledger, COUNTED, COUNTED)

    assert len(sink.begun) == 1
    assert [row.attempts for row in sink.ended] == [2]


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (UpstreamFault("It broke.", reason="upstream_error"), "upstream_error", "upstream_error"),
        (InvalidRequest("No.", reason="content_filtered"), "upstream_error", "content_filtered"),
        (UpstreamTimeout("Too slow.", reason="upstream_timeout"), "timeout", "upstream_timeout"),
        (ClientGone(), "client_closed", "client_closed"),
        (ShuttingDown(), "aborted_shutdown", "server_shutdown"),
        (ZeroDivisionError(), "error", None),
        (KeyboardInterrupt(), "error", None),
    ],
    ids=["502", "400", "504", "499", "the end", "our own", "interrupt"],
)
def test_a_row_says_how_a_call_failed(
    ledger: UsageLedger, sink: ListSink, error: BaseException, status: str, reason: str | None
) -> None:
    fail_with(ledger, error)

    assert [(row.status, row.reason) for row in sink.ended] == [(status, reason)]


def test_begin_and_end_are_of_the_same_call(ledger: UsageLedger, sink: ListSink) -> None:
    call_with(ledger, COUNTED)

    [begun], [ended] = sink.begun, sink.ended
    assert (begun.request_id, begun.created_at) == (ended.request_id, ended.created_at)


def test_tokens_are_those_the_upstream_counted(ledger: UsageLedger, sink: ListSink) -> None:
    call_with(ledger, COUNTED)

    [row] = sink.ended
    assert (row.prompt_tokens, row.completion_tokens, row.usage_source) == (5, 2, "upstream")


def test_tokens_of_several_answers_are_added_up(ledger: UsageLedger, sink: ListSink) -> None:
    call_with(ledger, COUNTED, COUNTED)

    [row] = sink.ended
    assert (row.prompt_tokens, row.completion_tokens, row.usage_source) == (10, 4, "upstream")


@pytest.mark.parametrize(
    "usages", [[UNKNOWN], [COUNTED, UNKNOWN], [UNKNOWN, COUNTED]], ids=["one", "last", "first"]
)
def test_tokens_are_unknown_if_any_count_is(
    ledger: UsageLedger, sink: ListSink, usages: list[TokenUsage]
) -> None:
    call_with(ledger, *usages)

    [row] = sink.ended
    assert (row.prompt_tokens, row.completion_tokens, row.usage_source) == (None, None, "invalid")


def test_a_call_without_an_answer_has_no_tokens(ledger: UsageLedger, sink: ListSink) -> None:
    fail_with(ledger, UpstreamFault("It broke.", reason="upstream_error"))

    [row] = sink.ended
    assert (row.prompt_tokens, row.completion_tokens, row.usage_source) == (None, None, "missing")
