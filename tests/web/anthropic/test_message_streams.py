"""What a client of Anthropic's gets for what an upstream streams."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_api.domain.calls import ModelRequest
from llm_api.web.anthropic.message_answers import message_of
from llm_api.web.anthropic.message_events import MessageWriter
from llm_api.web.anthropic.schemas import MessagesRequest
from llm_api.web.response.sse import End, KeepAlive
from tests.support import replies
from tests.support.replies import chunk
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.upstream.streamed import DONE, collected, taken
from tests.web.anthropic.message_calls import Body, ask, events_in, put_together
from tests.web.dialects.drawn_answers import answers, batches_of

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
REQUEST = ModelRequest("scripted", {"messages": [{"role": "user", "content": "Hello"}]})


def request_of(*, shows_thinking: bool = True, stops: tuple[str, ...] = ()) -> MessagesRequest:
    """Make a request."""
    return MessagesRequest(
        REQUEST,
        (),
        (),
        is_streamed=True,
        shows_usage=True,
        left_out=(),
        stops=stops,
        names={},
        shows_thinking=shows_thinking,
    )


def written(batches: Sequence[Sequence[bytes]], request: MessagesRequest) -> list[Body]:
    """Write a whole stream, and read its events."""
    writer = MessageWriter(request)
    sent = [writer.events(one) if one else writer.keep_alive() or b"" for one in batches]
    return events_in(b"".join([*sent, writer.end()]))


def call(index: int, arguments: str = "", **head: Any) -> Body:
    """Make a chunk with a part of a call."""
    function = {"arguments": arguments, **({"name": head.pop("name")} if "name" in head else {})}
    return chunk({"tool_calls": [{"index": index, "function": function, **head}]})


def calls(*chunks: Body) -> list[bytes]:
    """Write chunks, and the end of an answer behind them."""
    return [orjson.dumps(one) for one in [*chunks, chunk({}, finish_reason="tool_calls")]]


FIRST = call(0, name="draw", id="call_1", type="function")
SECOND = call(1, name="look", id="call_2", type="function")
THIRD = call(2, name="rest", id="call_3", type="function")


@settings(max_examples=100)
@given(st.data())
def test_any_stream_is_a_valid_sequence_and_says_what_the_whole_answer_says(
    data: st.DataObject,
) -> None:
    request = request_of(shows_thinking=data.draw(st.booleans()))
    chunks = taken(data.draw(answers()), shows_usage=True)

    streamed = put_together(written(data.draw(batches_of(chunks)), request))

    whole = message_of(collected([*chunks, DONE]).document, request)
    assert said(streamed) == {**said(whole), "text": text_in(chunks)}
    same = ("type", "role", "model", "stop_reason", "stop_sequence", "stop_details")
    assert {name: streamed[name] for name in same} == {name: whole[name] for name in same}
    counts = streamed["usage"]
    # A whole call without arguments has `{}`, which counts in an estimate.
    assert 0 <= whole["usage"]["output_tokens"] - counts["output_tokens"] <= 3
    assert {**whole["usage"], "output_tokens": counts["output_tokens"]} == counts


def text_in(chunks: Sequence[bytes]) -> str:
    """Return what a chat's client shows of the same stream, text and refusals in their order."""
    deltas = [one["delta"] for chunk in chunks for one in orjson.loads(chunk)["choices"]]
    return "".join(
        delta[name] for delta in deltas for name in ("content", "refusal") if delta.get(name)
    )


def said(message: Body) -> dict[str, Any]:
    """Return what the blocks say together, whatever lies between two of a kind."""
    blocks = message["content"]
    return {
        "text": "".join(one["text"] for one in blocks if one["type"] == "text"),
        "thinking": "".join(one["thinking"] for one in blocks if one["type"] == "thinking"),
        "calls": [
            (one["id"], one["name"], one["input"]) for one in blocks if one["type"] == "tool_use"
        ],
    }


def test_a_stream_begins_at_once_and_has_all_events(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion_stream("Hel", "lo"))

    answer = ask(client, stream=True)

    assert answer.mimetype == "text/event-stream"
    events = events_in(answer.data)
    message = put_together(events)
    usage = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    # Until the upstream has counted, the service's estimate stands there.
    assert events[0]["message"]["usage"] == {"input_tokens": 6, "output_tokens": 0, **usage}
    assert message["usage"] == {"input_tokens": 5, "output_tokens": 2, **usage}
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert (message["stop_reason"], message["id"]) == ("end_turn", "msg_scripted")


@each(
    ("parts", "expected"),
    [
        (
            [FIRST, call(0, '{"a"'), SECOND, call(1, "{}"), call(0, ":1}")],
            [("call_1", {"a": 1}), ("call_2", {})],
        ),
        (
            [FIRST, SECOND, THIRD, call(2, "{}"), call(1, '{"b":'), call(0, "{}"), call(1, "2}")],
            [("call_1", {}), ("call_2", {"b": 2}), ("call_3", {})],
        ),
        (
            [FIRST, call(0, "{}"), call(0, " "), SECOND, call(1, "{}"), call(0, "\n")],
            [("call_1", {}), ("call_2", {})],
        ),
        ([FIRST, SECOND], [("call_1", {}), ("call_2", {})]),
    ],
)
def test_calls_that_come_in_turns_are_blocks_one_after_another(
    parts: list[Body], expected: list[tuple[str, Body]]
) -> None:
    events = written([[one] for one in calls(*parts)], request_of())

    blocks = put_together(events)["content"]
    assert [(block["id"], block["input"]) for block in blocks] == expected


def test_arguments_are_sent_as_they_come_in() -> None:
    writer = MessageWriter(request_of())

    sent = [writer.events([one]) for one in calls(FIRST, call(0, '{"a"'), call(0, ":1}"))[:3]]

    assert [one.count(b"input_json_delta") for one in sent] == [0, 1, 1]


def test_text_behind_a_call_is_a_block_behind_it() -> None:
    parts = [chunk({"content": "a"}), FIRST, call(0, "{"), chunk({"content": "b"}), call(0, "}")]

    blocks = put_together(written([calls(*parts)], request_of()))["content"]

    assert [block["type"] for block in blocks] == ["text", "tool_use", "text"]


def test_thoughts_are_signed_at_their_end() -> None:
    parts = [chunk({"reasoning_content": "Hm"}), chunk({"content": "Hi"})]

    events = written([calls(*parts)], request_of())

    assert [one["delta"]["type"] for one in events if one["type"] == "content_block_delta"] == [
        "thinking_delta",
        "signature_delta",
        "text_delta",
    ]
    assert events[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}


def test_a_silence_has_pings_and_thoughts_that_are_not_shown_have_some() -> None:
    times = iter([0.0, 1.0, 14.0, 16.0, 30.0, 31.0])
    writer = MessageWriter(request_of(shows_thinking=False), clock=lambda: next(times))
    thought = orjson.dumps(chunk({"reasoning_content": "Hm"}))

    assert writer.keep_alive() is None  # the message has to come first
    assert b"message_start" in writer.events([thought])
    assert writer.keep_alive() == PING
    sent = [writer.events([thought]) for _ in range(4)]
    assert sent == [b"", PING, b"", PING]
    # What repeats a stream leaves them out.
    assert isinstance(sent[1], KeepAlive)
    assert isinstance(writer.end(), End)


@each(
    ("reply", "kind", "code"),
    [
        (
            replies.sse([chunk({"content": "Hel"})], done=False),
            "api_error",
            "upstream_truncated",
        ),
        (
            replies.sse([chunk({"content": "Hel"})], done=False, ending="reset"),
            "api_error",
            "upstream_truncated",
        ),
        (replies.sse([chunk({"content": "Hel"}), "{"]), "api_error", "upstream_bad_response"),
        (
            replies.sse([chunk({"content": "Hel"}), {"error": {"code": "rate_limit_exceeded"}}]),
            "rate_limit_error",
            "upstream_rate_limited",
        ),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_and_not_as_a_whole_one(
    client: FlaskClient, upstream: ScriptedUpstream, reply: replies.Reply, kind: str, code: str
) -> None:
    upstream.script(reply)

    answer = ask(client, stream=True)

    *events, error = events_in(answer.data)
    assert answer.status_code == 200
    assert "message_stop" not in [one["type"] for one in events]
    assert error["error"]["type"] == kind
    assert error["error"]["details"]["error_code"] == code
    assert error["request_id"] == answer.headers["request-id"]


REPEATED = [
    {"Idempotency-Key": "one"},
    {"X-Cache-TTL": "60"},
    {"x-stainless-retry-count": "1"},
]


@pytest.mark.parametrize("headers", REPEATED, ids=lambda headers: next(iter(headers)))
@pytest.mark.parametrize("streamed", [False, True])
def test_a_repeat_gets_the_same_message_without_a_call(
    client: FlaskClient, upstream: ScriptedUpstream, headers: dict[str, str], *, streamed: bool
) -> None:
    if streamed:
        upstream.script(replies.completion_stream("Hel", "lo"))

    first, second = (ask_with(client, headers, stream=streamed) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.data == first.data
    assert second.headers["x-dropped-params"] == "context_management"
    assert len(upstream.requests) == 1


def test_a_repeat_of_a_stream_that_broke_is_a_new_call(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.sse([chunk({"content": "Hel"})], done=False))
    upstream.script(replies.completion_stream("Hello"))

    first, second = (ask_with(client, REPEATED[0], stream=True) for _ in range(2))

    assert events_in(first.data)[-1]["type"] == "error"
    assert put_together(events_in(second.data))["content"][0]["text"] == "Hello"


def ask_with(client: FlaskClient, headers: dict[str, str], **fields: Any) -> Any:
    """Send a request with headers, and a field that is left out."""
    body = {
        "model": "scripted",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hello"}],
        "context_management": {},
        **fields,
    }
    answer = client.post("/v1/messages", json=body, headers=headers, buffered=True)
    answer.close()
    return answer
