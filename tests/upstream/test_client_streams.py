"""A streamed answer of one upstream, over real sockets: its chunks, its usage, its connection."""

import gzip
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Operation, TokenUsage
from llm_api.errors import ApiError
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.http.sse import MAX_EVENT_BYTES
from tests.support import replies
from tests.support.peer import Peer, RecordedRequest
from tests.support.replies import Event, Reply
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import chunk_bytes, message_bytes, response_bytes
from tests.upstream.asker import PATIENT, STREAMED, Asker
from tests.upstream.streamed import DEEP, DONE, USAGE, ended, event, stream_of, text
from tests.upstream.streaming import SHOWN, SSE, WHOLE, batches, events_reply, fail, stream

AskerOf = Callable[..., Asker]

REFUSED = replies.api_error(400, "invalid_parameter", "Unknown parameter: 'stream_options'.")


def whole_with(fields: dict[str, Any]) -> Reply:
    """Answer in one piece, with more fields in the message."""
    message = {"role": "assistant", "content": "Hi", **fields}
    return replies.json_reply(200, {"choices": [{"index": 0, "message": message}]})


class Held:
    """A stream whose second event waits until the test lets it go."""

    def __init__(self) -> None:
        """Hold."""
        self.may_go_on = threading.Event()

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Send the head and the first event, wait, and send the rest."""
        head = message_bytes("HTTP/1.1 200 OK", [SSE, ("Transfer-Encoding", "chunked")], b"")
        peer.send(head + chunk_bytes(stream_of(WHOLE[0])))
        self.may_go_on.wait(30)
        peer.send(chunk_bytes(stream_of(*WHOLE[1:])) + chunk_bytes(b""))
        return True


# --- chunks ---


def test_a_good_stream_is_passed_on_byte_by_byte(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(events_reply(*WHOLE))

    assert stream(asker) == SHOWN


@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "Text/Event-Stream"])
def test_an_event_stream_is_known_by_its_media_type(
    upstream: ScriptedUpstream, asker: Asker, content_type: str
) -> None:
    upstream.script(events_reply(*WHOLE, content_type=content_type))

    assert stream(asker) == SHOWN


def test_an_event_is_passed_on_before_the_next_is_sent(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    held = Held()
    upstream.script(held)

    coming = batches(asker)

    assert next(coming) == [WHOLE[0]]
    held.may_go_on.set()
    assert [chunk for batch in coming for chunk in batch] == SHOWN[1:]


def test_every_tick_of_a_silence_is_an_empty_batch(
    upstream: ScriptedUpstream, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timings(silence=0.02, silence_check=0.01).use(monkeypatch)
    held = Held()
    upstream.script(held)
    coming = batches(asker)

    first = next(coming)
    silences = [next(coming), next(coming)]
    held.may_go_on.set()

    assert (first, silences) == ([WHOLE[0]], [[], []])
    assert [chunk for batch in coming for chunk in batch] == SHOWN[1:]


def test_comments_of_the_upstream_do_not_hide_a_silence(
    upstream: ScriptedUpstream, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timings(silence=0.1).use(monkeypatch)
    events: list[Event] = [replies.chunk({"content": "Hel"}), *[b": keep-alive\n\n"] * 20]
    last = [replies.chunk({}, finish_reason="stop"), "[DONE]"]
    upstream.script(replies.sse([*events, *last], 0.03, done=False))

    first, *others = batches(asker)

    assert len(first) == 1
    assert [] in others


def test_a_silence_before_the_first_event_is_not_told(
    upstream: ScriptedUpstream, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timings(silence=0.02).use(monkeypatch)
    late = [replies.chunk({"content": "Hi"}), "[DONE]"]
    upstream.script(replies.sse([b": ping\n\n", *late], 0.1, done=False))

    assert next(batches(asker)) != []


def test_an_answer_in_one_piece_becomes_chunks(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.completion("Hello"))

    chunks = [orjson.loads(chunk) for chunk in stream(asker)]

    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "Hello"}
    assert chunks[1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[2]["usage"] == USAGE


def test_an_answer_in_one_piece_is_one_batch(upstream: ScriptedUpstream, asker: Asker) -> None:
    upstream.script(replies.completion("Hello"))

    assert [len(batch) for batch in batches(asker, shows_usage=False)] == [2]


def test_a_stream_that_nobody_asked_for_is_put_together(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(events_reply(*WHOLE))

    completion = asker.ask()

    assert (completion.text, completion.usage) == ("Hello", TokenUsage(5, 2, "upstream"))


def test_a_compressed_stream_is_inflated(upstream: ScriptedUpstream, asker: Asker) -> None:
    body = gzip.compress(stream_of(*WHOLE))
    reply = response_bytes(200, body, [SSE, ("Content-Encoding", "gzip")])
    upstream.script(replies.Whole(reply))

    assert stream(asker) == SHOWN


# --- before the first chunk ---


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (replies.api_error(429, "insufficient_quota"), (429, "upstream_rate_limited", False)),
        (replies.api_error(401, "invalid_api_key"), (502, "upstream_auth", False)),
        (replies.sse([{"error": {"code": 429}}]), (429, "upstream_rate_limited", True)),
        (replies.sse([]), (502, "upstream_bad_response", True)),
        (replies.sse([], done=False), (502, "upstream_bad_response", True)),
        (replies.sse(["{"]), (502, "upstream_bad_response", True)),
        (replies.json_reply(200, {"error": {"code": 429}}), (429, "upstream_rate_limited", True)),
        (replies.json_reply(200, {}), (502, "upstream_bad_response", True)),
        (whole_with({"tool_calls": ["x"]}), (502, "upstream_bad_response", True)),
        (whole_with({"tool_calls": [None]}), (502, "upstream_bad_response", True)),
        (whole_with({"tool_calls": 5}), (502, "upstream_bad_response", True)),
        (whole_with({"deep": DEEP}), (502, "upstream_bad_response", True)),
    ],
)
def test_an_error_before_the_first_chunk_is_an_error_of_the_call(
    upstream: ScriptedUpstream, asker: Asker, reply: Reply, expected: tuple[int, str, bool]
) -> None:
    upstream.script(reply)

    assert fail(asker) == expected
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "reply", [replies.close_before_answer(), replies.api_error(503), replies.reset_before_answer()]
)
def test_a_call_that_reached_nobody_is_repeated(
    upstream: ScriptedUpstream, asker: Asker, reply: Reply
) -> None:
    upstream.script(reply, events_reply(*WHOLE))

    assert stream(asker) == SHOWN
    assert asker.attempts == 2


def test_a_stream_that_has_begun_is_not_repeated(upstream: ScriptedUpstream, asker: Asker) -> None:
    hello = replies.chunk({"content": "Hel"})
    upstream.script(replies.sse([hello], done=False, ending="reset", silence_s=0.1))
    coming = batches(asker)

    assert len(next(coming)) == 1
    with pytest.raises(ApiError) as raised:
        list(coming)

    assert raised.value.reason == "upstream_truncated"
    assert len(upstream.requests) == 1


def test_a_silent_stream_is_a_time_out(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    asker = asker_of(timeouts=replace(PATIENT, idle=0.5))
    upstream.script(replies.sse([replies.chunk({"content": "Hel"})], done=False, silence_s=20))
    coming = batches(asker)
    next(coming)

    with pytest.raises(ApiError) as raised:
        list(coming)

    assert raised.value.reason == "upstream_timeout"


# --- bounds ---


class Endless:
    """One event that does not end, of so many megabytes."""

    def __init__(self, mebibytes: int) -> None:
        """Have sent nothing."""
        self.mebibytes = mebibytes
        self.sent = 0

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Send for as long as the client stays."""
        head = message_bytes("HTTP/1.1 200 OK", [SSE, ("Transfer-Encoding", "chunked")], b"")
        peer.send(head + chunk_bytes(stream_of(text("a"))) + chunk_bytes(b"data: "))
        for _ in range(self.mebibytes):
            peer.send(chunk_bytes(b"x" * (1 << 20)))
            self.sent += 1
        return False


def test_fifty_megabytes_without_a_line_end_are_not_waited_for(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    endless = Endless(50)
    upstream.script(endless)
    coming = batches(asker)
    assert next(coming)[0] == text("a")

    with pytest.raises(ApiError) as raised:
        list(coming)

    assert raised.value.reason == "upstream_too_large"
    wait_until(lambda: upstream.open_connections == 0, 10, "the connection is closed")
    assert endless.sent < 50


def test_an_event_of_almost_a_megabyte_passes(upstream: ScriptedUpstream, asker: Asker) -> None:
    large = text("x" * (MAX_EVENT_BYTES - 1_000 - len(text(""))))
    upstream.script(events_reply(large, ended(), DONE))

    assert [len(chunk) for chunk in stream(asker)] == [MAX_EVENT_BYTES - 1_000, len(ended())]


# --- the connection ---


def whole_reply(*headers: tuple[str, str]) -> Reply:
    """Answer with a whole stream, whose length is said."""
    return replies.Whole(response_bytes(200, stream_of(*WHOLE), [SSE, *headers]))


@pytest.mark.parametrize(
    "reply",
    [
        events_reply(*WHOLE),
        replies.completion_stream("Hel", "lo"),
        replies.sse([replies.chunk({}, finish_reason="stop")], done=False),
        replies.completion("Hello"),
        whole_reply(),
        replies.api_error(400),
    ],
    ids=["at once", "one by one", "no mark", "json", "length", "error"],
)
def test_a_connection_is_used_again(
    upstream: ScriptedUpstream, asker: Asker, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    Timings(drain=10.0).use(monkeypatch)  # a busy machine may need a while
    for _ in range(3):
        upstream.script(reply)
        try:
            assert stream(asker)
        except ApiError as error:
            assert error.status == 400  # noqa: PT017  # one of the replies is an error

    assert upstream.connections == 1


@pytest.mark.parametrize(
    "reply",
    [
        replies.sse([replies.chunk({}, finish_reason="stop")], silence_s=20),
        whole_reply(("Connection", "close")),
    ],
    ids=["without an end", "close"],
)
def test_a_connection_whose_body_has_not_ended_is_closed(
    upstream: ScriptedUpstream, asker: Asker, reply: Reply
) -> None:
    upstream.script(reply)
    assert stream(asker)

    wait_until(lambda: upstream.open_connections == 0, 10, "the connection is closed")
    assert stream(asker)
    assert upstream.connections == 2


def test_the_connection_of_an_answer_that_is_given_up_is_closed(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(replies.sse([replies.chunk({"content": "Hel"})], silence_s=20))
    coming = batches(asker)
    next(coming)

    coming.close()

    wait_until(lambda: upstream.open_connections == 0, 10, "the connection is closed")
    assert stream(asker)


# --- the usage is asked for ---


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"stream_options": {"include_usage": False, "vendor": 1}},
        {"stream_options": None},
    ],
    ids=str,
)
def test_the_usage_of_a_stream_is_always_asked_for(
    upstream: ScriptedUpstream, asker: Asker, parameters: dict[str, Any]
) -> None:
    stream(asker, **parameters)

    sent = upstream.requests[0].json
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})


def test_the_usage_is_asked_for_where_only_we_stream(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    asker_of(behavior=STREAMED).ask()

    sent = upstream.requests[0].json
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})


def test_the_usage_of_an_answer_in_one_piece_is_not_asked_for(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    asker.ask()

    assert {"stream", "stream_options"}.isdisjoint(upstream.requests[0].json)


@pytest.mark.parametrize(
    "refusal",
    [
        REFUSED,
        replies.api_error(422, message="include_usage: extra fields not permitted"),
        replies.json_reply(400, {"detail": [{"loc": ["body", "stream_options"]}]}),
        replies.Whole(response_bytes(400, b"<html>bad Stream_Options</html>")),
    ],
)
def test_an_upstream_that_refuses_to_count_is_asked_without(
    upstream: ScriptedUpstream, asker: Asker, refusal: Reply
) -> None:
    upstream.script(refusal, events_reply(*WHOLE))

    assert stream(asker) == SHOWN

    first, second = (request.json for request in upstream.requests)
    assert first.pop("stream_options") == {"include_usage": True}
    assert second == first
    assert upstream.connections == 1


def test_it_is_remembered_that_an_upstream_refuses_to_count(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(REFUSED)
    stream(asker)

    for _ in range(3):
        stream(asker)

    asked = ["stream_options" in request.json for request in upstream.requests]
    assert asked == [True, False, False, False, False]


def test_another_upstream_is_still_asked_to_count(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(REFUSED)
    stream(asker_of())

    stream(asker_of())

    assert "stream_options" in upstream.requests[-1].json


def test_an_upstream_is_asked_without_the_usage_once_only(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(REFUSED, REFUSED)

    assert fail(asker) == (400, "upstream_rejected", False)
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        replies.api_error(400, "invalid_value", "Invalid value: 'include_usage'."),
        replies.api_error(422, "invalid_value", "Invalid value: 'stream_options'."),
    ],
)
def test_a_refusal_that_only_names_the_usage_changes_nothing_for_others(
    upstream: ScriptedUpstream, asker: Asker, refusal: Reply
) -> None:
    """Upstreams quote what a caller has sent; it must not switch the counting off."""
    upstream.script(refusal, refusal)
    response_format = {"type": "include_usage"}
    with pytest.raises(ApiError):
        stream(asker, response_format=response_format)

    stream(asker)

    assert upstream.requests[-1].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "reply",
    [
        replies.api_error(400, "invalid_parameter", "temperature is out of range"),
        replies.api_error(422, "invalid_parameter"),
        replies.api_error(404, message="stream_options"),
        replies.api_error(413, message="stream_options"),
    ],
)
def test_another_refusal_is_not_repeated(
    upstream: ScriptedUpstream, asker: Asker, reply: Reply
) -> None:
    upstream.script(reply)

    fail(asker)
    stream(asker)

    assert len(upstream.requests) == 2
    assert "stream_options" in upstream.requests[1].json


def test_a_refusal_to_count_leaves_the_repeat_after_a_fault(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    upstream.script(REFUSED, replies.api_error(503), events_reply(*WHOLE))

    assert stream(asker) == SHOWN
    assert len(upstream.requests) == 3


# --- text completions ---


def test_a_text_completion_is_streamed_from_its_own_path(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    part = {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "stop"}
    chunk = event(part, id="cmpl-1", object="text_completion")
    upstream.script(events_reply(chunk, DONE))

    chunks = list(batches(asker, Operation.TEXT, prompt="Once"))

    assert chunks == [[chunk]]
    assert upstream.requests[0].path == "/v1/completions"


def test_a_text_completion_in_one_piece_becomes_chunks(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    choice = {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "length"}
    upstream.script(replies.json_reply(200, {"id": "cmpl-1", "choices": [choice]}))

    [batch] = batches(asker, Operation.TEXT, prompt="Once")

    parts = [orjson.loads(chunk)["choices"][0] for chunk in batch]
    assert [(part["text"], part["finish_reason"]) for part in parts] == [
        ("Hi", None),
        ("", "length"),
    ]


def test_a_cap_is_sent_with_a_stream_too(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    asker = asker_of(behavior=UpstreamBehavior("scripted", default_max_tokens=99))

    stream(asker)

    assert upstream.requests[0].json["max_tokens"] == 99
