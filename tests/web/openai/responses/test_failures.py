"""What a failed response says, so that agents repeat a request only where that can help."""

import re
from typing import Any

import pytest
from openai.types.responses import Response

from llm_api.errors import (
    ApiError,
    ContentFiltered,
    NotFound,
    RateLimited,
    ServiceError,
    Unavailable,
    UpstreamFault,
)
from llm_api.web.openai.responses.failures import RESPONSES_FORM, failure_events, failure_of
from llm_api.web.response.error_formats import error_headers
from tests.support.tables import each
from tests.upstream.streamed import more, text
from tests.web.openai.responses.response_streams import events_in, stream_of

# Codex 0.171 reads the time by this, and asks again for no other code with one.
TRY_AGAIN = re.compile(r"(?i)try again in\s*(\d+(?:\.\d+)?)\s*(s|ms|seconds?)")
TIMED = ("rate_limit_exceeded", "slow_down")
FULL = Unavailable("Full.", reason="overloaded", retry_after=3)
LIMITED = RateLimited("Slow.", reason="rate_limited", retry_after=12)


def refused(reason: str) -> ApiError:
    """Refuse a request."""
    return NotFound("No.", reason=reason)


@each(
    ("error", "code"),
    [
        (refused("context_length_exceeded"), "context_length_exceeded"),
        (refused("model_not_found"), "invalid_prompt"),
        (ContentFiltered("No.", reason="content_filtered"), "invalid_prompt"),
        (RateLimited("Spent.", reason="insufficient_quota", retryable=False), "insufficient_quota"),
        (RateLimited("Spent.", reason="budget", retryable=False), "insufficient_quota"),
        (LIMITED, "rate_limit_exceeded"),
        (LIMITED.replaced(retries_exhausted=True), "insufficient_quota"),
        (FULL, "slow_down"),
        (FULL.replaced(retries_exhausted=True), "server_is_overloaded"),
        (UpstreamFault("Cut.", reason="upstream_truncated"), "server_is_overloaded"),
        (ServiceError("Bug.", reason="internal_error"), "server_is_overloaded"),
        (UpstreamFault("Odd.", reason="odd", retryable=True), "server_error"),
    ],
)
def test_the_code_tells_agents_whether_to_ask_again(error: ApiError, code: str) -> None:
    failure = failure_of(error)

    assert failure["code"] == code
    waits = TRY_AGAIN.search(failure["message"])
    assert (waits is not None) == (code in TIMED)
    assert waits is None or int(waits[1]) == error.retry_after


def test_both_events_name_the_error_and_go_on_counting() -> None:
    begun: dict[str, Any] = {"id": "resp_1", "status": "in_progress", "output": []}

    told, failed = events_in(failure_events(begun, FULL, 7))

    assert (told["code"], told["message"], told["sequence_number"]) == ("overloaded", "Full.", 7)
    assert told["error"]["message"] == "Full."
    assert (failed["sequence_number"], failed["response"]["status"]) == (8, "failed")
    assert failed["response"]["id"] == "resp_1"


def test_the_failure_of_a_stream_that_another_client_was_sent_goes_on_from_it() -> None:
    sent = stream_of([[text("a")], [more("b")]])
    blocks = [block + b"\n\n" for block in sent.split(b"\n\n")[:6]]

    broken = RESPONSES_FORM.broken(b"".join(blocks[:2]), b"".join(blocks[4:]), FULL, "req_1")

    events = events_in(b"".join([*blocks, broken]))
    assert [event["sequence_number"] for event in events] == list(range(8))
    assert events[-1]["response"]["id"] == events[0]["response"]["id"]
    assert RESPONSES_FORM.has_failed(broken)
    assert not RESPONSES_FORM.has_failed(sent)


def test_a_stream_that_was_cut_before_its_first_event_has_a_failure_of_its_own() -> None:
    told, failed = events_in(RESPONSES_FORM.broken(b"", b"", FULL, "req_1"))

    assert (told["sequence_number"], failed["sequence_number"]) == (0, 1)
    # Codes that only Codex knows are none of the SDK's.
    Response.model_validate({**failed["response"], "error": None}, strict=True)
    assert (failed["response"]["id"], failed["response"]["status"]) == ("resp_req_1", "failed")


def test_a_text_that_looks_like_a_failure_is_none() -> None:
    said = '\nevent: response.failed\ndata: {"type":"response.failed"}\n\n'

    assert not RESPONSES_FORM.has_failed(stream_of([[text(said)]], metadata={"a": said}))


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
def test_a_final_error_names_no_time_to_agents(path: str) -> None:
    final = error_headers(LIMITED.replaced(retries_exhausted=True), path)

    assert final["x-should-retry"] == "false"
    assert ("Retry-After" in final) == (path != "/v1/responses")
    assert ("retry-after-ms" in final) == (path != "/v1/responses")
    assert error_headers(LIMITED, path)["Retry-After"] == "12"
