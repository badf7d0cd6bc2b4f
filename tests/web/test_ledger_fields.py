"""What stands in a usage row, field by field, however the call ended (G13, G14)."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_api.storage.sql.tables import usage
from tests.faults.gateway import Gateway
from tests.support import replies
from tests.support.replies import GOOD_USAGE, Reply
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, COMPLETIONS
from tests.web.streams import HELLO, LO, PATIENCE, row_of, streaming_service

CUT = replies.sse([HELLO, LO], done=False, ending="reset")
MODELS = """
[models.priced]
upstream = "fast"
fallback = ["spare"]
prices = [
  { valid_from = 2020-01-01, currency = "CNY", input = "10", output = "100", cached_input = "1",\
   reasoning = "1000", image = "0.5" },
  { valid_from = 2126-01-01, currency = "USD", input = "1", output = "1" },
]
[models.later]
upstream = "fast"
prices = [{ valid_from = 2126-01-01, currency = "CNY", input = "1", output = "1" }]
[models.spare]
upstream = "judge"
prices = [{ valid_from = 2020-01-01, currency = "USD", input = "7", output = "7" }]
"""
NOTHING_COUNTED = {
    **dict.fromkeys(["prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"]),
    **dict.fromkeys(["images", "cost_micro", "currency"]),
    "usage_source": "missing",
}


@pytest.fixture(scope="module")
def judge() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the spare model."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the folder of the service, with all that it writes."""
    return tmp_path_factory.mktemp("fields")


@pytest.fixture(scope="module")
def service(
    directory: Path, service_upstream: ScriptedUpstream, judge: ScriptedUpstream
) -> Iterator[Service]:
    """Run the service with prices of its own."""
    prepared = streaming_service(
        directory,
        service_upstream,
        FAST_LLM_PROFILE="vllm",
        JUDGE_LLM_API_URL=judge.url,
        JUDGE_LLM_MODEL="spare",
        UPSTREAM_FIRST_BYTE_TIMEOUT="3",
    )
    (directory / "project" / "config" / "models.toml").write_text(MODELS)
    with prepared as running:
        yield running


@pytest.fixture
def gateway(service: Service, service_upstream: ScriptedUpstream) -> Gateway:
    """Lend both, with nothing scripted."""
    service_upstream.clear()
    return Gateway(service, service_upstream)


def has(row: Mapping[str, Any], **fields: object) -> None:
    """Assert that the row has these values."""
    assert {name: row[name] for name in fields} == fields


def times_fit(row: Mapping[str, Any]) -> None:
    """Assert that no part of the time is more than the whole; each was rounded for itself."""
    assert 0 <= row["overhead_ms"] <= row["total_ms"] + 1
    assert 0 <= row["upstream_ms"] <= row["total_ms"] + 1
    assert row["first_token_ms"] is None or 0 <= row["first_token_ms"] <= row["upstream_ms"]


def counted(**details: int) -> dict[str, Any]:
    """Write the usage of an answer with 20 tokens in, 10 out, and parts of them."""
    return {
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": details.get("cached")},
        "completion_tokens_details": {"reasoning_tokens": details.get("thought")},
        **({"image_count": details["images"]} if "images" in details else {}),
    }


def test_a_good_call_has_every_field(gateway: Gateway) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)

    row = gateway.succeeded(model="priced")

    assert set(row) == {column.name for column in usage.columns}
    assert before <= row["created_at"] <= before + timedelta(seconds=PATIENCE)
    assert row["request_id"].startswith("req_")
    has(row, route=CHAT, requested_model="priced", model="priced", upstream="fast")
    has(row, status="ok", reason=None, http_status=200, attempts=1, usage_source="upstream")
    has(row, prompt_tokens=5, completion_tokens=2, cached_tokens=None, reasoning_tokens=None)
    has(row, images=None, cost_micro=250, currency="CNY", key_id=None, tags="")
    assert row["lineage_id"] == row["request_id"]
    [attempt] = row["attempts_detail"]
    has(attempt, model="priced", reason=None)
    assert attempt["upstream"].startswith("fast")
    assert 0 <= attempt["ms"] <= row["total_ms"] + 1
    times_fit(row)


def test_the_model_that_was_not_named_is_none(gateway: Gateway) -> None:
    has(gateway.succeeded(), requested_model=None, model="scripted", cost_micro=None, currency=None)


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_parts_of_tokens_and_images_are_kept_and_paid(
    gateway: Gateway, *, is_streamed: bool
) -> None:
    told = counted(cached=4, thought=3, images=2)
    stream, whole = replies.completion_stream("Hi", usage=told), replies.completion(usage=told)
    gateway.upstream.script(stream if is_streamed else whole)

    with gateway.ask(COMPLETIONS, model="priced", stream=is_streamed) as answer:
        assert answer.read_body()
        row = row_of(gateway.service, answer)

    has(row, prompt_tokens=20, completion_tokens=10, cached_tokens=4, reasoning_tokens=3, images=2)
    has(row, cost_micro=16 * 10 + 4 * 1 + 7 * 100 + 3 * 1_000 + 2 * 500_000, currency="CNY")
    has(row, usage_source="upstream", status="ok")


@pytest.mark.parametrize(
    ("told", "source"),
    [(None, "missing"), ({"prompt_tokens": -1, "completion_tokens": 1}, "invalid")],
)
def test_what_was_not_counted_costs_an_unknown_amount(
    gateway: Gateway, told: Mapping[str, object] | None, source: str
) -> None:
    gateway.upstream.script(replies.completion(usage=told))

    has(gateway.succeeded(model="priced"), **NOTHING_COUNTED | {"usage_source": source})


def test_a_price_of_a_later_day_is_not_known_yet(gateway: Gateway) -> None:
    has(gateway.succeeded(model="later"), prompt_tokens=5, cost_micro=None, currency=None)


# The reply, how often it comes, the status that the caller gets, and why.
FAILED: dict[str, tuple[Reply, int, int, str]] = {
    "400": (replies.api_error(400), 1, 400, "upstream_rejected"),
    "filter": (replies.api_error(400, "data_inspection_failed"), 1, 400, "content_filtered"),
    "401": (replies.api_error(401), 1, 502, "upstream_auth"),
    "404": (replies.api_error(404, "model_not_found"), 1, 404, "model_not_found"),
    "429": (replies.api_error(429), 2, 429, "upstream_rate_limited"),
    "500": (replies.api_error(500), 2, 502, "upstream_error"),
    "503": (replies.api_error(503), 2, 503, "upstream_unavailable"),
    "504": (replies.api_error(504), 2, 504, "upstream_timeout"),
    "reset": (replies.reset_before_answer(), 2, 502, "upstream_disconnected"),
    "no answer": (replies.json_reply(200, {}), 1, 502, "upstream_bad_response"),
    "time-out": (replies.hang(60), 1, 504, "upstream_timeout"),
}


@pytest.mark.parametrize("failed", FAILED.values(), ids=FAILED)
@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_a_failed_call_has_what_its_caller_got(
    gateway: Gateway, failed: tuple[Reply, int, int, str], *, is_streamed: bool
) -> None:
    reply, attempts, code, reason = failed
    gateway.upstream.script(*[reply] * attempts)

    with gateway.ask(COMPLETIONS, stream=is_streamed) as answer:
        assert (answer.status, bool(answer.read_body())) == (code, True)
        row = row_of(gateway.service, answer)

    status = "timeout" if code == 504 else "upstream_error"
    has(row, http_status=code, status=status, reason=reason, attempts=attempts)
    has(row, **NOTHING_COUNTED)
    assert [one["reason"] for one in row["attempts_detail"]] == [reason] * attempts
    times_fit(row)


def test_g13_a_cut_stream_is_estimated(gateway: Gateway) -> None:
    gateway.upstream.script(CUT)

    with gateway.ask(COMPLETIONS, model="priced", stream=True) as answer:
        answer.read_events()
        row = row_of(gateway.service, answer)

    has(row, http_status=200, status="upstream_error", reason="upstream_truncated", attempts=1)
    has(row, usage_source="estimated", cached_tokens=None, reasoning_tokens=None, currency="CNY")
    assert row["prompt_tokens"] > 0
    assert row["completion_tokens"] > 0
    assert row["cost_micro"] == row["prompt_tokens"] * 10 + row["completion_tokens"] * 100
    assert row["first_token_ms"] is not None
    times_fit(row)


def test_g13_a_cut_stream_whose_usage_came_is_measured(gateway: Gateway) -> None:
    told = {"choices": [], "usage": dict(GOOD_USAGE)}
    gateway.upstream.script(replies.sse([HELLO, told], done=False, ending="reset"))

    with gateway.ask(COMPLETIONS, stream=True) as answer:
        answer.read_events()
        row = row_of(gateway.service, answer)

    has(row, usage_source="upstream", prompt_tokens=5, completion_tokens=2, status="upstream_error")


def test_g13_a_client_that_leaves_a_stream_is_estimated(gateway: Gateway) -> None:
    gateway.upstream.script(replies.sse([HELLO, LO], done=False, silence_s=60))

    with gateway.ask(COMPLETIONS, model="priced", stream=True) as answer:
        assert answer.read_event()
        request_id = answer.header("x-request-id")

    row = row_when_there(gateway, "request_id", request_id)
    has(row, http_status=200, status="client_closed", reason="client_closed")
    has(row, usage_source="estimated", attempts=1, currency="CNY")
    assert row["prompt_tokens"] > 0


def test_a_client_that_leaves_before_its_answer_is_told_apart(gateway: Gateway) -> None:
    gateway.upstream.script(replies.hang(60))
    model = f"left-{time.monotonic_ns()}"

    with gateway.ask(model=model):
        wait_until(lambda: gateway.upstream.requests, PATIENCE, "the call is at the upstream")

    row = row_when_there(gateway, "requested_model", model)
    has(row, http_status=499, status="client_closed", reason="client_closed", **NOTHING_COUNTED)


def row_when_there(gateway: Gateway, column: str, value: object) -> Mapping[str, Any]:
    """Wait for the only row with this value."""
    wait_until(lambda: gateway.rows(column, value), PATIENCE, gateway.service.log)
    [row] = gateway.rows(column, value)
    return row


def test_g14_an_answer_asked_for_twice_counts_both(gateway: Gateway) -> None:
    thought = counted(thought=10)
    gateway.upstream.script(
        replies.completion("", finish_reason="length", usage=thought), replies.completion()
    )

    row = gateway.succeeded(model="priced", max_tokens=10)

    has(row, status="ok", attempts=2, prompt_tokens=25, completion_tokens=12, reasoning_tokens=10)
    has(row, cost_micro=25 * 10 + 2 * 100 + 10 * 1_000, usage_source="upstream")
    assert [one["reason"] for one in row["attempts_detail"]] == ["spent_on_thinking", None]


def test_g14_a_call_that_fell_back_is_one_row_at_the_price_of_who_answered(
    gateway: Gateway, judge: ScriptedUpstream
) -> None:
    judge.clear()
    gateway.upstream.script(*[replies.api_error(503)] * 2)

    row = gateway.succeeded(model="priced")

    has(row, requested_model="priced", model="spare", upstream="judge", attempts=3, status="ok")
    has(row, cost_micro=7 * 7, currency="USD", reason=None, http_status=200)
    assert [(one["model"], one["reason"]) for one in row["attempts_detail"]] == [
        *[("priced", "upstream_unavailable")] * 2,
        ("spare", None),
    ]
    assert [one["upstream"].partition("#")[0] for one in row["attempts_detail"]] == [
        "fast",
        "fast",
        "judge",
    ]
    times_fit(row)


def test_the_first_token_of_a_stream_comes_before_its_end(gateway: Gateway) -> None:
    gateway.upstream.script(replies.delayed(replies.sse([HELLO, LO], 0.2), 0.2))

    with gateway.ask(COMPLETIONS, stream=True) as answer:
        answer.read_events()
        row = row_of(gateway.service, answer)

    assert 100 <= row["first_token_ms"] < row["upstream_ms"] <= row["total_ms"] + 1
    times_fit(row)
