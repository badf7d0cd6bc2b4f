"""Section D of the fault matrix, streams that go well; and E5, a client that reads slowly."""

import time
from pathlib import Path

import openai

from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.paced import Flood, Gated
from tests.support.replies import chunk
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import COMPLETIONS
from tests.web.streams import (
    DONE,
    HELLO,
    LO,
    PATIENCE,
    STOP,
    ask,
    broken,
    forget_peak,
    frame,
    held_to_invariants,
    log_lines,
    parsed,
    payload,
    resident_bytes,
    row_of,
    streaming_service,
    text_of,
)

USAGE = {**chunk({}), "choices": [], "usage": dict(replies.GOOD_USAGE)}
MEBIBYTE = 1 << 20
# What the kernel holds for two connections is its own affair; it is below this.
KERNEL_BYTES = 20 * MEBIBYTE
SILENCE_S = 0.9
ASKED = [{"role": "user", "content": "Hello"}]


# --- D1: a healthy stream ---


def test_events_come_out_as_they_were_sent(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    events = [HELLO, *[chunk({"content": f"{number} "}) for number in range(20)], STOP]
    service_upstream.script(replies.sse(events))

    with ask(sound) as answer:
        assert answer.status == 200
        assert parsed(answer.read_events()) == [*events, "[DONE]"]
        row = row_of(sound, answer)

    assert (row["status"], row["attempts"]) == ("ok", 1)


def test_a_stream_says_that_it_is_one(sound: Service) -> None:
    with ask(sound) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.header("Cache-Control") == "no-cache"
        assert answer.header("X-Accel-Buffering") == "no"
        assert answer.header("Content-Length") is None
        assert text_of(answer.read_events()) == "Hello"


def test_each_event_leaves_before_the_next_arrives(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    events = [HELLO, *[chunk({"content": f"{number} "}) for number in range(8)], STOP, "[DONE]"]
    upstream = Gated([frame(event) for event in events])
    service_upstream.script(upstream)

    with ask(sound) as answer:
        for event in events:
            upstream.let_go()
            assert parsed([answer.read_event()]) == [event]
        assert answer.read_event() == b""


def test_a_connection_is_used_again_after_a_stream(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    for _ in range(3):
        with ask(sound) as answer:
            assert text_of(answer.read_events()) == "Hello"

    assert service_upstream.connections == 1


def test_a_stream_tells_its_request_and_where_the_time_went(sound: Service) -> None:
    with ask(sound) as answer:
        metrics = [part.split(";")[0] for part in answer.headers["Server-Timing"].split(", ")]
        assert metrics == ["queue", "upstream", "first_token", "own"]
        assert answer.headers["openai-processing-ms"].isdecimal()
        assert answer.header("x-request-id") == answer.header("request-id") is not None


# --- D5 ---


def test_done_alone_is_the_end_of_a_cut_stream(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    """llama-cpp-python drops one request for the next with it."""
    service_upstream.script(replies.sse([HELLO, LO]))

    with ask(sound) as answer:
        assert broken(answer) == ([HELLO, LO], "upstream_truncated")
        assert row_of(sound, answer)["status"] == "upstream_error"


def test_a_finish_reason_alone_is_a_good_end(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.sse([HELLO, STOP], done=False))

    with ask(sound) as answer:
        assert parsed(answer.read_events()) == [HELLO, STOP, "[DONE]"]
        assert row_of(sound, answer)["status"] == "ok"


# --- D11 ---

NOTHING = chunk({})


def test_silences_are_filled_with_chunks_that_say_nothing(
    tmp_path: Path, service_upstream: ScriptedUpstream
) -> None:
    timings = Timings(silence=SILENCE_S, silence_check=SILENCE_S / 3)
    with (
        streaming_service(tmp_path, service_upstream, timings=timings) as service,
        held_to_invariants(service, service_upstream),
    ):
        assert_that_silences_are_filled(service, service_upstream)


def assert_that_silences_are_filled(sound: Service, service_upstream: ScriptedUpstream) -> None:
    """Read two streams that stop in the middle, with an SDK and as they are on the wire."""
    upstreams = [Gated([frame(HELLO), frame(STOP), frame("[DONE]")]) for _ in range(2)]
    service_upstream.script(*upstreams)
    began = time.monotonic()

    with openai.OpenAI(base_url=f"{sound.url}/v1", api_key="none", max_retries=0) as sdk:
        upstreams[0].let_go()
        chunks = sdk.chat.completions.create(model="m", messages=ASKED, stream=True)
        assert next(chunks).choices[0].delta.content == "Hel"
        with ask(sound) as answer:
            upstreams[1].let_go()
            assert parsed([answer.read_event()]) == [HELLO]
            assert parsed([answer.read_event()]) == [NOTHING]
            assert time.monotonic() - began >= SILENCE_S
            for upstream in upstreams:
                upstream.let_go(2)
            rest = [one for one in parsed(answer.read_events()) if one != NOTHING]
            assert rest == [STOP, "[DONE]"]
        reasons = [one.choices[0].finish_reason for one in chunks]
        assert [reason for reason in reasons if reason] == ["stop"]
    service_upstream.close_connections()  # two were used at a time


# --- D15 ---


def test_usage_is_always_asked_for_and_recorded(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    with ask(sound) as answer:
        assert b"prompt_tokens" not in b"".join(answer.read_events())
        row = row_of(sound, answer)

    assert service_upstream.requests[0].json["stream_options"] == {"include_usage": True}
    assert (row["prompt_tokens"], row["completion_tokens"]) == (5, 2)
    assert row["usage_source"] == "upstream"


def test_usage_is_shown_last_to_a_client_who_asked(sound: Service) -> None:
    with ask(sound, stream_options={"include_usage": True}) as answer:
        *chunks, last, done = answer.read_events()
        row = row_of(sound, answer)

    assert done == DONE
    assert parsed([last]) == [USAGE]
    assert all(not chunk.get("usage") and chunk["choices"] for chunk in parsed(chunks))
    assert row["completion_tokens"] == 2


# --- D18 ---


def test_a_client_of_http_1_0_reads_to_the_end_of_the_connection(sound: Service) -> None:
    with LiveAnswer(sound.address, payload(version="1.0")) as answer:
        assert answer.header("Transfer-Encoding") is None
        assert answer.header("Connection") == "close"
        assert text_of(answer.read_events()) == "Hello"


# --- the log ---


def test_the_log_line_of_a_stream_is_written_at_its_end(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    upstream = Gated([frame(HELLO), frame(STOP), frame("[DONE]")])
    service_upstream.script(upstream)

    with ask(sound) as answer:
        upstream.let_go()
        answer.read_event()
        assert log_lines(sound, answer) == []
        upstream.let_go(2)
        assert answer.read_events()[-1] == DONE
        wait_until(lambda: log_lines(sound, answer), PATIENCE, "the line is written")

        [line] = log_lines(sound, answer)
    assert (line["message"], line["status"], line["route"]) == ("request", 200, COMPLETIONS)
    assert "reason" not in line


# --- E5: reading slowly ---


def test_a_slow_reader_slows_the_upstream_and_is_served_to_the_end(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    event = frame(chunk({"role": "assistant", "content": "x" * 16_000}))
    count = 30 * MEBIBYTE // len(event)
    upstream = Flood(event, count, ending=frame(STOP) + frame("[DONE]"))
    service_upstream.script(upstream)
    [worker] = sound.worker_pids()
    forget_peak(worker)
    before = resident_bytes(worker)

    with ask(sound, receive_buffer=65_536) as answer:
        read = [answer.read_event()]
        sent = stalled(upstream)
        for _ in range(20):
            read.append(answer.read_event())
            time.sleep(0.02)
        assert not upstream.is_over.is_set()
        read += answer.read_events()
        row = row_of(sound, answer)

    assert sent <= KERNEL_BYTES
    assert resident_bytes(worker) - before <= 8 * MEBIBYTE
    assert (len(read), read[-1]) == (count + 2, DONE)
    assert row["status"] == "ok"


def stalled(upstream: Flood) -> int:
    """Wait until the upstream gets rid of no more, and return how much it got rid of."""
    sent = -1
    while upstream.sent_bytes != sent:
        sent = upstream.sent_bytes
        time.sleep(1)
    return sent
