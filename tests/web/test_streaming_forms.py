"""Section D of the fault matrix: whatever form an answer comes in, the client gets it the same."""

import json
import zlib
from collections.abc import Mapping

import pytest

from tests.support import replies
from tests.support.paced import EVENT_STREAM, Gated
from tests.support.replies import chunk
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.streams import HELLO, LO, STOP, ask, frame, parsed, row_of, text_of

GZIP = (*EVENT_STREAM, ("Content-Encoding", "gzip"))
SPECIAL = "é猫🐈 \u2028 \u0085 \u200b"


def single_bytes(stream: bytes) -> replies.Reply:
    """Send a stream so that every byte is a chunk of its own."""
    return replies.sse([stream[at : at + 1] for at in range(len(stream))], done=False)


def in_choice(index: int, **delta: object) -> dict[str, object]:
    """Build the chunk of one of several choices."""
    return {**chunk({}), "choices": [{"index": index, "delta": delta, "finish_reason": None}]}


# --- D8, D9: the bytes of a stream ---

PLAIN = frame(HELLO) + frame(LO) + frame(STOP) + frame("[DONE]")
FORMS = {
    "LF": PLAIN,
    "CRLF": PLAIN.replace(b"\n", b"\r\n"),
    "CR": PLAIN.replace(b"\n", b"\r"),
    "comments": PLAIN.replace(b"data:", b": a comment\n:\ndata:"),
    "other fields": PLAIN.replace(b"data:", b"id: 7\nretry: 10\nevent: message\ndata:"),
    "no space after the colon": PLAIN.replace(b"data: ", b"data:"),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "several lines of data": PLAIN.replace(b', "choices"', b',\ndata: "choices"'),
    "no blank line at the end": PLAIN.rstrip(b"\n"),
}


@pytest.mark.parametrize("stream", FORMS.values(), ids=FORMS)
def test_every_form_of_a_stream_comes_out_the_same_byte_by_byte(
    sound: Service, service_upstream: ScriptedUpstream, stream: bytes
) -> None:
    service_upstream.script(single_bytes(stream))

    with ask(sound) as answer:
        assert parsed(answer.read_events()) == [HELLO, LO, STOP, "[DONE]"]


def test_text_is_intact_where_characters_are_cut_in_two(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    event = json.dumps(chunk({"role": "assistant", "content": SPECIAL}), ensure_ascii=False)
    service_upstream.script(single_bytes(frame(event) + frame(STOP) + frame("[DONE]")))

    with ask(sound) as answer:
        assert text_of(answer.read_events()) == SPECIAL


# --- D17 ---


def test_no_compression_is_asked_for_and_a_compressed_stream_is_read_as_it_comes(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    compressor = zlib.compressobj(wbits=31)
    events = [HELLO, LO, STOP, "[DONE]"]
    pieces = [
        compressor.compress(frame(event)) + compressor.flush(zlib.Z_SYNC_FLUSH) for event in events
    ]
    upstream = Gated([pieces[0][:10], pieces[0][10:], *pieces[1:], compressor.flush()], GZIP)
    service_upstream.script(upstream)

    with ask(sound) as answer:
        upstream.let_go()  # the head of the compression, which is nothing yet
        for event in events:
            upstream.let_go()
            assert parsed([answer.read_event()]) == [event]
        upstream.let_go()
        assert answer.read_event() == b""

    assert service_upstream.requests[0].header("Accept-Encoding") == "identity"


# --- D19 ---

TOOL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
RICH: Mapping[str, list[dict[str, object]]] = {
    "tool calls": [
        chunk({"role": "assistant", "content": None, "tool_calls": [{"index": 0, **TOOL}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"index": 1, **TOOL, "id": "call_2"}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        chunk({}, finish_reason="tool_calls"),
    ],
    "empty deltas": [HELLO, chunk({}), chunk({"content": ""}), STOP],
    "reasoning": [
        chunk({"role": "assistant", "content": None, "reasoning_content": "Hm, "}),
        chunk({"content": None, "reasoning_content": "well."}),
        chunk({"content": "Yes."}),
        STOP,
    ],
    "two choices": [
        in_choice(0, role="assistant", content="a"),
        in_choice(1, role="assistant", content="b"),
        in_choice(1, content="B"),
        in_choice(0, content="A"),
        {**STOP, "choices": [{**STOP["choices"][0], "index": n} for n in range(2)]},
    ],
}


@pytest.mark.parametrize("events", RICH.values(), ids=RICH)
def test_whatever_an_answer_consists_of_is_passed_unchanged(
    sound: Service, service_upstream: ScriptedUpstream, events: list[dict[str, object]]
) -> None:
    service_upstream.script(replies.sse(events))

    with ask(sound) as answer:
        assert parsed(answer.read_events()) == [*events, "[DONE]"]


def test_an_answer_in_one_piece_becomes_chunks(
    sound: Service, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.script(replies.completion("Hello"))

    with ask(sound) as answer:
        events = answer.read_events()
        row = row_of(sound, answer)

    assert text_of(events) == "Hello"
    assert {event["object"] for event in parsed(events[:-1])} == {"chat.completion.chunk"}
    assert parsed(events)[-2]["choices"][0]["finish_reason"] == "stop"
    assert (row["status"], row["completion_tokens"]) == ("ok", 2)
