"""Section D of the fault matrix, streams that break: the client is told, in the right way."""

import gzip
import json

import pytest

from tests.support import replies
from tests.support.paced import EVENT_STREAM, Flood, Gated
from tests.support.replies import Reply, chunk
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import message_bytes, response_bytes
from tests.web.streams import (
    DONE,
    HELLO,
    LO,
    PATIENCE,
    STOP,
    ask,
    broken,
    error_event,
    forget_peak,
    frame,
    log_lines,
    parsed,
    plain_error,
    resident_bytes,
    row_of,
)

MEBIBYTE = 1 << 20
GZIP = (*EVENT_STREAM, ("Content-Encoding", "gzip"))
CANARY = "canary-of-the-upstream"
LIMITED = {"error": {"message": CANARY, "type": "x", "param": None, "code": "rate_limit_exceeded"}}
HTML = response_bytes(200, f"<html>{CANARY}</html>".encode(), [("Content-Type", "text/html")])


def to_the_end_of_the_connection(stream: bytes) -> Reply:
    """Send a stream whose body only the connection ends."""
    head = [("Content-Type", "text/event-stream")]
    return replies.raw_reply(message_bytes("HTTP/1.1 200 OK", head, stream))


# --- D2: errors before the first event are plain HTTP errors ---

LIMIT = (429, "RATE_LIMIT_EXCEEDED", "upstream_rate_limited", True)
BAD = (502, "SERVICE_ERROR", "upstream_bad_response", True)
EARLY: dict[str, tuple[list[Reply], tuple[int, str, str, bool]]] = {
    "400": (
        [replies.api_error(400, "invalid_parameter", CANARY)],
        (400, "VALIDATION_ERROR", "upstream_rejected", False),
    ),
    "401": (
        [replies.api_error(401, "invalid_api_key", CANARY)],
        (502, "SERVICE_ERROR", "upstream_auth", False),
    ),
    "429": ([replies.api_error(429, "rate_limit", CANARY)] * 2, LIMIT),
    "500": (
        [replies.api_error(500, None, CANARY)] * 2,
        (502, "SERVICE_ERROR", "upstream_error", True),
    ),
    "503 twice": (
        [replies.api_error(503, None, CANARY)] * 2,
        (503, "SERVICE_ERROR", "upstream_unavailable", True),
    ),
    "504 twice": (
        [replies.api_error(504, None, CANARY)] * 2,
        (504, "SERVICE_ERROR", "upstream_timeout", True),
    ),
    "reset twice": (
        [replies.reset_before_answer()] * 2,
        (502, "SERVICE_ERROR", "upstream_disconnected", True),
    ),
    "an error as the first event": ([replies.sse([LIMITED])], LIMIT),
    "HTML with status 200": ([replies.raw_reply(HTML)], BAD),
    "garbage as the first event": ([replies.sse([f"{CANARY} {{"])], BAD),
    "an empty stream": ([replies.sse([], done=False)], BAD),
    "a stream of nothing but its end": ([replies.sse([])], BAD),
}


@pytest.mark.parametrize(("scripted", "verdict"), EARLY.values(), ids=EARLY)
def test_an_early_fault_is_a_plain_error(
    sound: Service,
    service_upstream: ScriptedUpstream,
    scripted: list[Reply],
    verdict: tuple[int, str, str, bool],
) -> None:
    service_upstream.script(*scripted)

    with ask(sound) as answer:
        refusal = plain_error(answer)
        row = row_of(sound, answer)

    assert refusal.verdict == verdict
    assert row["status"] == ("timeout" if refusal.status == 504 else "upstream_error")
    assert row["reason"] == refusal.reason
    assert row["attempts"] == len(service_upstream.requests) == len(scripted)
    # Operators are told what the upstream said, scrubbed, in a field of its own.
    lines = sound.log_records()
    assert CANARY not in json.dumps([one | {"upstream_said": ""} for one in lines])


def test_a_stream_that_is_cut_before_its_first_event_is_a_plain_error(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.sse([b"data: {"], done=False, ending="reset"))

    with ask(sound) as answer:
        assert plain_error(answer).status == 502
        assert row_of(sound, answer)["status"] == "upstream_error"


def test_a_fault_that_passes_is_not_seen(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.api_error(503))

    with ask(sound) as answer:
        assert answer.read_events()[-1] == DONE
        row = row_of(sound, answer)

    assert (row["status"], row["attempts"]) == ("ok", 2)


def test_an_early_error_says_when_to_come_again_and_where_the_time_went(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    # Longer than this service waits itself.
    service_upstream.script(replies.api_error(429, headers=[("Retry-After", "17")]))

    with ask(sound) as answer:
        assert plain_error(answer).status == 429
        assert (answer.header("Retry-After"), answer.header("retry-after-ms")) == ("17", "17000")
        assert answer.headers["openai-processing-ms"].isdecimal()
        assert "upstream;dur=" in answer.headers["Server-Timing"]


# --- D3: a cut stream ends with an error ---

EVENTS = [HELLO, LO]
STREAM = b"".join(map(frame, EVENTS))
CUTS = {
    "reset": replies.sse(EVENTS, done=False, ending="reset"),
    "closed within the body": replies.sse(EVENTS, done=False, ending="close"),
    "a whole body without its end": replies.sse(EVENTS, done=False),
    "closed, which ends the body": to_the_end_of_the_connection(STREAM),
    "closed within an event": to_the_end_of_the_connection(STREAM + b'data: {"cho'),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_cut_stream_ends_with_an_error(
    sound: Service, service_upstream: ScriptedUpstream, cut: Reply
) -> None:
    service_upstream.script(cut)

    with ask(sound) as answer:
        assert broken(answer) == (EVENTS, "upstream_truncated")
        row = row_of(sound, answer)

    assert (row["status"], row["reason"]) == ("upstream_error", "upstream_truncated")
    assert (row["attempts"], row["usage_source"]) == (1, "estimated")
    assert row["prompt_tokens"] > 0
    assert row["completion_tokens"] > 0


def test_the_log_line_of_a_broken_stream_says_why_at_its_end(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    upstream = Gated([frame(HELLO), frame(LO)])
    service_upstream.script(upstream)

    with ask(sound) as answer:
        upstream.let_go()
        answer.read_event()
        assert log_lines(sound, answer) == []
        upstream.let_go()
        wait_until(lambda: log_lines(sound, answer), PATIENCE, "the line is written")

        [line] = log_lines(sound, answer)
    assert (line["message"], line["status"]) == ("request", 200)
    assert line["reason"] == "upstream_truncated"


# --- D7, and errors that the upstream tells in mid-stream ---


@pytest.mark.parametrize(
    "event",
    [
        f'{{"choices": [], "text": "{CANARY}"',
        f'{{"choices": [], "text": "{CANARY}", "number": NaN}}',
        f'{{"choices": "{CANARY}"}}',
        f'{{"choices": ["{CANARY}"]}}',
        f'["{CANARY}"]',
        f"<html>{CANARY}</html>",
    ],
)
def test_a_broken_event_is_never_passed_on(
    sound: Service, service_upstream: ScriptedUpstream, event: str
) -> None:
    service_upstream.script(replies.sse([HELLO, event, LO]))

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO], "upstream_bad_response")
        assert row_of(sound, answer)["status"] == "upstream_error"


@pytest.mark.parametrize(
    "calls",
    [["f"], [{"index": []}], [{"index": "x"}], [{"index": 0, "function": {"name": ["f"]}}] * 2],
)
def test_malformed_tool_calls_are_the_upstream_s_fault(
    sound: Service, service_upstream: ScriptedUpstream, calls: list[object]
) -> None:
    service_upstream.script(replies.sse([HELLO, chunk({"tool_calls": calls})]))

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO], "upstream_bad_response")


def test_an_error_in_mid_stream_is_told_in_our_words(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.sse([HELLO, LIMITED]))

    with ask(sound) as answer:
        first, last = answer.read_events()
        row = row_of(sound, answer)

    assert parsed([first]) == [HELLO]
    assert CANARY.encode() not in last
    assert error_event(answer, last).reason == "upstream_rate_limited"
    assert (row["status"], row["usage_source"]) == ("upstream_error", "estimated")


# --- D13, D17: too much ---


@pytest.mark.parametrize("mebibytes", [2, 20])
def test_a_picture_in_an_event_passes(
    sound: Service, service_upstream: ScriptedUpstream, mebibytes: int
) -> None:
    url = "data:image/png;base64," + "A" * (mebibytes * MEBIBYTE)
    event = chunk({"role": "assistant", "images": [{"image_url": {"url": url}}]})
    service_upstream.script(replies.sse([event, STOP]))

    with ask(sound) as answer:
        assert parsed(answer.read_events()) == [event, STOP, "[DONE]"]


def test_a_line_without_end_is_given_up_and_not_kept(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    upstream = Flood(b"x" * 65_536, 800, opening=frame(HELLO) + b"data: ")
    service_upstream.script(upstream)
    [worker] = sound.worker_pids()
    forget_peak(worker)
    before = resident_bytes(worker)

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO], "upstream_too_large")
        assert row_of(sound, answer)["status"] == "upstream_error"

    assert upstream.is_over.wait(PATIENCE)
    assert upstream.sent_bytes < 42 * MEBIBYTE  # what the kernel takes included
    assert resident_bytes(worker) - before <= 64 * MEBIBYTE


def test_a_stream_that_inflates_without_end_is_given_up(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    bomb = gzip.compress(frame(HELLO) + (b": " + b"x" * 1021 + b"\n") * (160 * 1024))
    service_upstream.script(Flood(bomb, 1, headers=GZIP))
    [worker] = sound.worker_pids()
    forget_peak(worker)
    before = resident_bytes(worker)

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO], "upstream_too_large")

    assert resident_bytes(worker) - before <= 64 * MEBIBYTE


def test_a_stream_with_broken_compression_ends_with_an_error(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    compressed = gzip.compress(frame(HELLO))[:-8]
    service_upstream.script(Flood(b"\xff" * 64, 1, opening=compressed, headers=GZIP))

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO], "upstream_bad_response")
