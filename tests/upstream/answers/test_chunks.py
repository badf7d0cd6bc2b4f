"""The events of a streamed answer come out in the form that every SDK takes."""

from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_api.domain.calls import Operation, TokenUsage
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.faults import Fault
from tests.support.tables import each
from tests.upstream.asker import READER
from tests.upstream.strategies import CHUNKS
from tests.upstream.streamed import (
    DEEP,
    DONE,
    HEAD,
    TEXT_HEAD,
    USAGE,
    choice,
    counted,
    deep_json,
    deltas,
    ended,
    event,
    more,
    taken,
    taken_objects,
    text,
)

OTHER_USAGE = {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}


def reason_of(*events: bytes) -> str:
    """Return why the events of a whole answer are refused."""
    with pytest.raises(Fault) as raised:
        taken(events)
    return raised.value.error.reason


def end_of(*events: bytes, operation: Operation = Operation.CHAT) -> str | None:
    """Return why events are no whole answer; None if they are one."""
    answer = StreamedAnswer(operation)
    for one in events:
        answer.take(one)
    try:
        answer.end()
    except Fault as fault:
        return fault.error.reason
    return None


# --- what is right already ---


def test_events_that_are_right_are_passed_on_byte_by_byte() -> None:
    first = (
        b'{ "id":"c", "object" : "chat.completion.chunk","created":1,"model":"m","x":1.0,'
        b'"choices":[{"index":0,"delta":{"role":"assistant","content":"\\u732b \xe7\x8c\xab"}}]}'
    )
    last = (
        b' {"created":1,"model":"m","object":"chat.completion.chunk","id":"c","usage":null,'
        b'"choices":[{"finish_reason":"stop","delta":{ },"index":0,"logprobs":null}]}'
    )

    assert taken([first, last, DONE]) == [first, last]


@each(
    "delta",
    [
        {"content": "猫 \u2028 \\u0041"},
        {"content": None, "reasoning_content": "Let me see."},
        {"refusal": "No."},
        {"function_call": {"name": "f", "arguments": "{"}},
        {"audio": {"id": "a", "data": "AAAA"}, "vendor_field": {"深": [1.5, None]}},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f"}}]},
        {},
    ],
)
def test_what_is_inside_a_delta_is_passed_on_byte_by_byte(delta: dict[str, Any]) -> None:
    begun = event(choice({"role": "assistant", **delta}))
    later = event(choice({}, logprobs={"content": [{"token": "a", "logprob": -0.25}]}))

    assert taken([begun, later, DONE]) == [begun, later]


def test_fields_that_only_a_vendor_knows_are_passed_on_byte_by_byte() -> None:
    events = [
        event(choice({"role": "assistant"}), system_fingerprint="fp", service_tier="default"),
        event(choice({"content": "Hi"}, stop_reason=None), obfuscation="x"),
    ]

    assert taken([*events, DONE]) == events


def test_a_chunk_without_choices_in_its_list_is_passed_on_byte_by_byte() -> None:
    filtered = event(prompt_filter_results=[{"prompt_index": 0}])

    assert taken([filtered, text("Hi"), DONE]) == [filtered, text("Hi")]


def test_every_choice_of_several_is_passed_on_byte_by_byte() -> None:
    events = [
        event(choice({"role": "assistant", "content": "a"}, 1)),
        event(choice({"role": "assistant", "content": "b"}, 0), choice({"content": "c"}, 1)),
        event(choice({}, 0, finish_reason="stop"), choice({}, 1, finish_reason="length")),
    ]

    assert taken([*events, DONE]) == events


# --- the head ---


@each(
    ("name", "other"),
    [("id", "chatcmpl-2"), ("created", 1_700_000_001), ("model", "m-2026"), ("object", "chunk")],
)
def test_the_head_of_every_chunk_is_that_of_the_first(name: str, other: Any) -> None:
    chunks = taken_objects(text("a"), event(choice({"content": "b"}), **{name: other}))

    assert [{key: chunk[key] for key in HEAD} for chunk in chunks] == [HEAD, HEAD]


@each("name", ["id", "created", "model", "object"])
@each("is_null", [True, False])
def test_what_is_missing_in_a_later_head_is_that_of_the_first(*, name: str, is_null: bool) -> None:
    broken = orjson.loads(more("b")) | {name: None}
    if not is_null:
        del broken[name]

    chunks = taken_objects(text("a"), orjson.dumps(broken))

    assert {key: chunks[1][key] for key in HEAD} == HEAD


@each("operation", [Operation.CHAT, Operation.TEXT])
def test_a_head_that_is_missing_is_made_once(operation: Operation) -> None:
    answer = StreamedAnswer(operation, classifier=READER)
    bare = b'{"choices":[{"index":0,"delta":{},"text":"a"}]}'

    chunks = [orjson.loads(answer.take(bare) or b"") for _ in range(3)]

    heads = [{name: chunk[name] for name in HEAD} for chunk in chunks]
    assert heads[1:] == heads[:1] * 2
    assert heads[0]["id"].startswith("chatcmpl-" if operation is Operation.CHAT else "cmpl-")
    assert type(heads[0]["created"]) is int
    assert heads[0]["model"] == ""


def test_two_answers_without_an_id_get_two_ids() -> None:
    bare = b'{"choices":[]}'

    [[first], [second]] = [taken_objects(bare), taken_objects(bare)]

    assert first["id"] != second["id"]


@each("created", [None, 1_700_000_000.5, "1700000000", True])
def test_a_creation_time_that_is_no_integer_becomes_one(created: Any) -> None:
    [chunk] = taken_objects(event(choice({"role": "assistant"}), created=created))

    assert type(chunk["created"]) is int
    assert chunk["created"] > 1_700_000_000 - 1


def test_the_kind_of_a_text_completion_is_its_own() -> None:
    part = orjson.dumps({**TEXT_HEAD, "choices": [{"index": 0, "text": "Hi", "logprobs": None}]})
    wrong = orjson.loads(part) | {"object": "text_completion.chunk"}

    chunks = taken([part, orjson.dumps(wrong), DONE], Operation.TEXT)

    assert chunks == [part, part]


@each("fields", [{}, {"text": None}])
def test_a_missing_text_of_a_text_completion_becomes_an_empty_one(fields: dict[str, Any]) -> None:
    part = {"index": 0, "finish_reason": "stop", **fields}

    [chunk] = taken([orjson.dumps({**TEXT_HEAD, "choices": [part]})], Operation.TEXT)

    assert orjson.loads(chunk)["choices"] == [{"index": 0, "finish_reason": "stop", "text": ""}]


@each("content", ["Hi", [{"type": "text", "text": "Hi"}]])
def test_a_text_completion_streamed_as_a_chat_keeps_its_text(content: Any) -> None:
    part = {"index": 0, "delta": {"content": content}, "finish_reason": "stop"}

    [chunk] = taken([orjson.dumps({**TEXT_HEAD, "choices": [part]})], Operation.TEXT)

    assert orjson.loads(chunk)["choices"] == [{"index": 0, "finish_reason": "stop", "text": "Hi"}]


def test_a_text_of_a_text_completion_that_is_no_text_is_a_bad_response() -> None:
    with pytest.raises(Fault) as raised:
        taken([b'{"choices":[{"index":0,"text":5}]}', DONE], Operation.TEXT)

    assert raised.value.error.reason == "upstream_bad_response"


# --- the choices ---


@each("fields", [{}, {"choices": None}])
def test_missing_choices_become_none(fields: dict[str, Any]) -> None:
    [chunk] = taken_objects(orjson.dumps({**HEAD, **fields}))

    assert chunk == {**HEAD, "choices": []}


@each("fields", [{}, {"index": None}])
def test_a_choice_without_an_index_is_the_first(fields: dict[str, Any]) -> None:
    [chunk] = taken_objects(event({"delta": {"role": "assistant", "content": "Hi"}, **fields}))

    assert chunk["choices"][0]["index"] == 0


@each("fields", [{}, {"delta": None}])
def test_a_missing_delta_becomes_an_empty_one(fields: dict[str, Any]) -> None:
    chunks = taken_objects(text("Hi"), event({"index": 0, "finish_reason": "stop", **fields}))

    assert chunks[1]["choices"] == [{"index": 0, "finish_reason": "stop", "delta": {}}]


def test_a_role_is_in_the_first_delta_only() -> None:
    assert deltas(text("a"), text("b"), text("c")) == [
        {"role": "assistant", "content": "a"},
        {"content": "b"},
        {"content": "c"},
    ]


def test_a_missing_role_is_added_to_the_first_delta_only() -> None:
    assert deltas(more("a"), more("b")) == [
        {"role": "assistant", "content": "a"},
        {"content": "b"},
    ]


@each("role", [None, ""])
def test_a_role_without_a_name_is_the_assistants(role: str | None) -> None:
    first, second = deltas(*[event(choice({"role": role, "content": "a"}))] * 2)

    assert first == {"role": "assistant", "content": "a"}
    assert second == {"content": "a"}


def test_every_choice_has_a_role_of_its_own() -> None:
    both = event(choice({"content": "a"}, 0), choice({"content": "b"}, 1))

    chunks = taken_objects(both, both)

    roles = [[one["delta"].get("role") for one in chunk["choices"]] for chunk in chunks]
    assert roles == [["assistant", "assistant"], [None, None]]


# --- form ---


def test_an_error_that_is_null_is_removed() -> None:
    chunks = taken_objects(event(choice({"role": "assistant", "content": "Hi"}), error=None))

    assert chunks == [orjson.loads(text("Hi"))]


def test_data_of_several_lines_becomes_one_line() -> None:
    spread = b'{"id":"c","object":"chat.completion.chunk","created":1,\n"model":"m","choices":[]}'

    [chunk] = taken([spread, DONE])

    assert chunk == spread.replace(b"\n", b"")


@each("done", [b"[DONE]", b" [DONE]", b"[DONE] ", b"[DONE]\n"])
def test_the_mark_of_the_end_is_not_passed_on(done: bytes) -> None:
    assert taken([text("Hi"), done]) == [text("Hi")]


# --- the usage ---


def test_the_usage_is_kept_back_where_nobody_asked() -> None:
    assert taken([text("Hi"), ended(), counted(), DONE]) == [text("Hi"), ended()]


def test_the_usage_comes_last_where_the_caller_asked() -> None:
    chunks = taken([text("Hi"), counted(), ended(), DONE], shows_usage=True)

    assert chunks == [text("Hi"), ended(), counted()]


@each("shows_usage", [True, False])
def test_a_usage_beside_choices_gets_a_chunk_of_its_own(*, shows_usage: bool) -> None:
    last = event(choice({}, finish_reason="stop"), usage=dict(USAGE))

    chunks = taken([text("Hi"), last, DONE], shows_usage=shows_usage)

    shown = [orjson.loads(chunk) for chunk in chunks[1:]]
    assert shown[0] == orjson.loads(last) | {"usage": None}
    assert shown[1:] == ([orjson.loads(counted())] if shows_usage else [])


@each("shows_usage", [True, False])
def test_of_a_usage_in_every_chunk_the_last_counts(*, shows_usage: bool) -> None:
    pieces = [choice({"role": "assistant", "content": "a"}), choice({}, finish_reason="stop")]
    events = [event(piece, usage=dict(USAGE)) for piece in pieces] + [counted(OTHER_USAGE), DONE]
    answer = StreamedAnswer(shows_usage=shows_usage, classifier=READER)

    chunks = [orjson.loads(chunk) for one in events if (chunk := answer.take(one)) is not None]

    assert [chunk["usage"] for chunk in chunks] == [None, None]
    assert answer.end() == ([counted(OTHER_USAGE)] if shows_usage else [])
    assert answer.usage == TokenUsage(5, 9, "upstream")


def test_nothing_is_shown_of_a_usage_that_never_came() -> None:
    assert taken([text("Hi"), DONE], shows_usage=True) == [text("Hi")]


def test_the_chunk_with_the_usage_has_the_head_of_the_first() -> None:
    other = counted(id="other", model="other", created=1)

    chunks = taken([text("Hi"), other, DONE], shows_usage=True)

    assert orjson.loads(chunks[-1]) == {**HEAD, "choices": [], "usage": USAGE}


@each("usage", ["abc", 5, [1], True])
@each("choices", [[], [choice({}, finish_reason="stop")]])
def test_a_usage_that_is_no_object_is_not_shown(usage: Any, choices: list[dict[str, Any]]) -> None:
    answer = StreamedAnswer(shows_usage=True)
    events = [text("Hi"), ended(), event(*choices, usage=usage), DONE]

    chunks = [orjson.loads(chunk) for one in events if (chunk := answer.take(one)) is not None]

    assert [chunk.get("usage") for chunk in chunks] == [None] * len(chunks)
    assert answer.end() == []
    assert answer.usage == TokenUsage()


def test_a_usage_that_is_no_object_leaves_the_one_before() -> None:
    events = [text("Hi"), ended(), counted(), event(usage="abc"), DONE]

    assert taken(events, shows_usage=True) == [text("Hi"), ended(), counted()]


# --- errors ---


@each(
    ("embedded", "reason"),
    [
        ({"error": {"code": "data_inspection_failed"}}, "content_filtered"),
        ({"error": {"code": 429, "message": "slow down"}}, "upstream_rate_limited"),
        ({"error": {"code": "context_length_exceeded"}}, "context_length_exceeded"),
        ({"error": {"message": "it broke", "type": "server_error"}}, "upstream_error"),
        ({"error": "it broke"}, "upstream_error"),
        ({"error": {"code": "Arrearage"}, "choices": []}, "upstream_account"),
        ({"code": "DataInspectionFailed", "message": "no"}, "content_filtered"),
    ],
)
@each("before", [[], [text("Hi")]])
def test_an_error_inside_an_event_is_mapped_by_its_code(
    before: list[bytes], embedded: dict[str, Any], reason: str
) -> None:
    assert reason_of(*before, orjson.dumps(embedded), DONE) == reason


@each(
    "broken",
    [
        b"{",
        b"Hello",
        b"",
        b'{"choices":[{"index":0,"logprobs":NaN,"delta":{}}]}',
        b'{"choices":[{"index":0,"logprobs":-Infinity,"delta":{}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"\xff"}}]}',
        b"[]",
        b'"text"',
        b'{"choices":{}}',
        b'{"choices":"none"}',
        b'{"choices":[null]}',
        b'{"choices":["a"]}',
        b'{"choices":[{"index":"0"}]}',
        b'{"choices":[{"index":0.5}]}',
        b'{"choices":[{"delta":{"tool_calls":{"index":0}}}]}',
        b'{"choices":[{"delta":{"tool_calls":["f"]}}]}',
    ],
)
@each("before", [[], [text("Hi")]])
def test_an_event_that_is_no_chunk_is_a_bad_response(before: list[bytes], broken: bytes) -> None:
    assert reason_of(*before, broken, DONE) == "upstream_bad_response"


SIGNS_OF_LIFE = [
    b"null",
    b'""',
    b"ping",
    b"[PING]",
    b": keep-alive",
    b"OPENROUTER PROCESSING",
    b"{}",
    b'{"type":"ping"}',
    b'{"type":"heartbeat","ts":1}',
    b'{"message":"processing"}',
    b'{"code":0,"message":"queued","id":"q"}',
]


@each("sign", SIGNS_OF_LIFE)
def test_a_sign_of_life_is_passed_over(sign: bytes) -> None:
    assert taken([sign, text("Hi"), sign, ended(), DONE]) == [text("Hi"), ended()]


@each("word", [b"[done]", b"end", b"stream end", b'"finished"', b"[END]"])
def test_a_word_behind_the_end_is_the_mark_of_it(word: bytes) -> None:
    answer = StreamedAnswer()
    for one in (text("Hi"), ended(), word):
        answer.take(one)

    assert answer.is_over


def test_an_answer_in_one_piece_in_one_event_is_kept() -> None:
    called = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "tool_calls": [called]}
    whole = {"index": 0, "message": message, "finish_reason": "tool_calls"}

    [chunk] = taken([event(whole), DONE])

    [one] = orjson.loads(chunk)["choices"]
    assert one["delta"] == {**message, "tool_calls": [{**called, "index": 0}]}
    assert "message" not in one


def test_all_of_the_answer_once_more_is_no_delta() -> None:
    again = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}

    _, last = taken([text("Hi"), event(again), DONE])

    assert orjson.loads(last)["choices"] == [choice({}, finish_reason="stop")]


def test_a_message_beside_a_delta_is_left_alone() -> None:
    """Perplexity has all of it so far there."""
    one = choice({"role": "assistant", "content": " you"}, message={"content": "Hi you"})

    assert taken([event(one), DONE]) == [event(one)]


@each(
    "deep",
    [
        {**HEAD, "choices": [choice({"content": "Hi", "x": DEEP})]},  # the role is added
        {"choices": [], "usage": {"x": DEEP}, "error": None},
        {"error": {"code": DEEP}},
        {"error": {"message": "it broke", "x": DEEP}},
    ],
)
def test_an_event_that_is_nested_too_deep_is_a_bad_response(deep: dict[str, Any]) -> None:
    with pytest.raises(Fault) as raised:
        taken([deep_json(deep), ended(), DONE], shows_usage=True)

    assert raised.value.error.reason == "upstream_bad_response"


def test_an_event_that_is_nested_deep_and_right_is_passed_on_byte_by_byte() -> None:
    deep = deep_json({**HEAD, "choices": [choice({"role": "assistant", "x": DEEP})]})

    assert taken([deep, DONE]) == [deep]


def test_a_text_of_an_event_is_not_in_its_error() -> None:
    with pytest.raises(Fault) as raised:
        taken([b'{"error":{"message":"canary of the account"}}'])

    assert "canary" not in raised.value.error.message


# --- the end ---


@each("events", [[], [DONE]])
def test_an_answer_without_a_chunk_is_a_bad_response(events: list[bytes]) -> None:
    assert end_of(*events) == "upstream_bad_response"


FILTERED = event(prompt_filter_results=[])
TEXT_PART = orjson.dumps({**TEXT_HEAD, "choices": [{"index": 0, "text": "Hi"}]})


@each(
    "events",
    [
        [text("Hi")],
        [text("Hi"), more(" there"), counted()],
        [text("")],
        [event(choice({"role": "assistant", "content": "Hi"}, finish_reason=""))],
        [event(choice({"role": "assistant", "content": "Hi"}, finish_reason="null"))],
        [event(choice({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}))],
        [event(choice({"content": "a"}, 0), choice({"content": "b"}, 1))],
        [counted()],
        [FILTERED],
        [TEXT_PART],
    ],
)
def test_a_mark_of_the_end_without_any_reason_for_it_is_a_cut(events: list[bytes]) -> None:
    operation = Operation.TEXT if events == [TEXT_PART] else Operation.CHAT

    assert end_of(*events, DONE, operation=operation) == "upstream_truncated"


def test_one_of_several_choices_may_lack_the_reason_where_the_mark_is_there() -> None:
    both = [choice({"role": "assistant", "content": "Hi"}, index) for index in range(2)]

    assert end_of(event(*both), ended(), DONE) is None


@each("events", [[text("Hi")], [text("Hi"), counted()]])
def test_an_answer_without_a_mark_or_a_reason_for_its_end_is_cut(events: list[bytes]) -> None:
    assert reason_of(*events) == "upstream_truncated"


def test_an_answer_that_lacks_only_the_mark_is_whole() -> None:
    assert taken([text("Hi"), ended()]) == [text("Hi"), ended()]


def test_an_answer_of_which_one_choice_has_not_ended_is_cut() -> None:
    both = [choice({"role": "assistant", "content": "Hi"}, index) for index in range(2)]

    assert reason_of(event(*both), ended()) == "upstream_truncated"


def test_the_reason_for_the_end_of_a_text_completion_counts() -> None:
    part = {"index": 0, "text": "Hi", "finish_reason": "length"}

    chunk = orjson.dumps({**TEXT_HEAD, "choices": [part]})

    assert taken([chunk], Operation.TEXT) == [chunk]


# --- whatever comes ---


@given(st.lists(CHUNKS, max_size=4), st.sampled_from([Operation.CHAT, Operation.TEXT]))
def test_any_event_is_a_chunk_or_a_fault_and_a_chunk_needs_no_second_look(
    documents: list[dict[str, Any]], operation: Operation
) -> None:
    events = [*map(orjson.dumps, documents), DONE]
    try:
        chunks = taken(events, operation)
    except Fault:
        return
    assume(chunks)

    assert taken([*chunks, DONE], operation) == chunks
