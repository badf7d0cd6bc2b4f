"""The events of a streamed answer are put together, and an answer is taken apart into events."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.calls import Operation, TokenUsage
from llm_api.upstream.answers.collect import events_of
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.faults import Fault
from tests.upstream.strategies import CHUNKS
from tests.upstream.streamed import (
    DEEP,
    DONE,
    HEAD,
    TEXT_HEAD,
    USAGE,
    choice,
    collected,
    counted,
    deep_json,
    ended,
    event,
    more,
    taken,
    text,
)

CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
OTHER_CALL = CALL | {"id": "call_b"}
DOCUMENT_HEAD = {**HEAD, "object": "chat.completion"}


def message_of(*deltas: dict[str, Any]) -> dict[str, Any]:
    """Return the message that deltas make."""
    completion = collected([*(event(choice(delta)) for delta in deltas), DONE])
    message: dict[str, Any] = completion.document["choices"][0]["message"]
    return message


def again(document: dict[str, Any], operation: Operation = Operation.CHAT) -> Any:
    """Take an answer apart, bring its events into form and put them together."""
    chunks = taken(events_of(document, operation), operation, shows_usage=True)
    return collected([*chunks, DONE], operation).document


def reason_of(*events: bytes) -> str:
    """Return why events cannot be put together."""
    with pytest.raises(Fault) as raised:
        collected(events)
    return raised.value.error.reason


# --- putting together ---


def test_texts_are_joined() -> None:
    message = message_of({"role": "assistant", "content": ""}, {"content": "猫"}, {"content": "!"})

    assert message == {"role": "assistant", "content": "猫!"}


@pytest.mark.parametrize("name", ["reasoning_content", "refusal"])
def test_what_stands_beside_the_text_is_joined(name: str) -> None:
    message = message_of({"content": None, name: "a"}, {name: "b"}, {"content": "c"})

    assert message == {"role": "assistant", "content": "c", name: "ab"}


def test_tool_calls_are_joined_by_their_index() -> None:
    opened = [{"index": 0, **CALL}, {"index": 1, **OTHER_CALL}]
    parts = [[{"index": index, "function": {"arguments": " "}}] for index in (1, 0, 1)]

    message = message_of(*({"tool_calls": part} for part in [opened, *parts]))

    arguments = [call["function"]["arguments"] for call in message["tool_calls"]]
    assert arguments == ["{} ", "{}  "]
    assert [call["id"] for call in message["tool_calls"]] == ["call_a", "call_b"]
    assert message["content"] is None


def test_a_tool_call_has_no_index_in_an_answer_in_one_piece() -> None:
    message = message_of({"tool_calls": [{"index": 0, **CALL}]})

    assert message["tool_calls"] == [CALL]


def test_a_function_call_is_joined() -> None:
    parts = [{"name": "f", "arguments": ""}, {"arguments": "{"}, {"arguments": "}"}]

    message = message_of(*({"function_call": part} for part in parts))

    assert message["function_call"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize("nothing", ["", [], "soon"], ids=repr)
def test_a_function_call_may_be_announced_by_something_else(nothing: Any) -> None:
    message = message_of({"function_call": nothing}, {"function_call": {"name": "f"}})

    assert message["function_call"]["name"] == "f"


def test_what_is_null_in_every_delta_is_not_in_the_message() -> None:
    nothing = {"tool_calls": None, "function_call": None, "refusal": None, "audio": None}

    message = message_of({"content": "Hi", **nothing}, {"content": "!", **nothing})

    assert message == {"role": "assistant", "content": "Hi!"}


def test_a_list_of_no_tool_calls_is_not_in_the_message() -> None:
    message = message_of({"content": "Hi", "tool_calls": []})

    assert message == {"role": "assistant", "content": "Hi"}


def test_a_model_that_said_nothing_said_an_empty_text() -> None:
    message = message_of({"role": "assistant", "content": None, "tool_calls": None}, {})

    assert message == {"role": "assistant", "content": ""}


def test_choices_are_put_together_each_and_in_their_order() -> None:
    events = [
        event(choice({"content": "b"}, 1), choice({"content": "a"}, 0)),
        event(choice({"content": "B"}, 1, finish_reason="length")),
        event(choice({"content": "A"}, 0, finish_reason="stop")),
    ]

    choices = collected(events).document["choices"]

    assert [one["message"]["content"] for one in choices] == ["aA", "bB"]
    assert [(one["index"], one["finish_reason"]) for one in choices] == [(0, "stop"), (1, "length")]


@pytest.mark.parametrize("name", ["content", "refusal"])
def test_log_probabilities_are_put_together(name: str) -> None:
    events = [
        event(choice({"content": token}, logprobs={name: [{"token": token}]})) for token in "ab"
    ]

    document = collected([*events, DONE]).document

    assert document["choices"][0]["logprobs"] == {name: [{"token": "a"}, {"token": "b"}]}


def test_the_usage_is_that_of_the_last_chunk() -> None:
    completion = collected([text("Hi"), ended(), counted(), DONE])

    assert completion.document["usage"] == USAGE
    assert completion.usage == TokenUsage(5, 2, "upstream")


def test_the_head_is_that_of_the_chunks() -> None:
    completion = collected([text("Hi"), DONE])

    assert {name: completion.document[name] for name in HEAD} == DOCUMENT_HEAD


def test_a_fingerprint_that_comes_later_is_kept() -> None:
    later = event(choice({"content": "!"}), system_fingerprint="fp_1")

    document = collected([text("Hi"), later, DONE]).document

    assert document["system_fingerprint"] == "fp_1"


def test_a_text_completion_is_put_together() -> None:
    parts = [{"index": 0, "text": piece, "finish_reason": None} for piece in "ab"]
    parts[1]["finish_reason"] = "stop"
    events = [orjson.dumps({**TEXT_HEAD, "choices": [part]}) for part in parts]

    document = collected(events, Operation.TEXT).document

    assert document["object"] == "text_completion"
    assert document["choices"] == [{"index": 0, "text": "ab", "finish_reason": "stop"}]


def test_a_cut_stream_is_not_put_together() -> None:
    assert reason_of(text("Hi"), more(" there")) == "upstream_truncated"


@pytest.mark.parametrize("events", [[], [counted(), ended()]], ids=["none", "usage"])
def test_a_stream_without_a_choice_is_no_answer(events: list[bytes]) -> None:
    assert reason_of(*events[:1]) in {"upstream_bad_response", "upstream_truncated"}


def test_an_error_in_the_middle_is_the_answers() -> None:
    assert reason_of(text("Hi"), b'{"error":{"code":429}}') == "upstream_rate_limited"


@given(st.lists(CHUNKS, max_size=4), st.sampled_from([Operation.CHAT, Operation.TEXT]))
def test_any_events_are_an_answer_or_a_fault(
    chunks: list[dict[str, Any]], operation: Operation
) -> None:
    try:
        completion = collected([*map(orjson.dumps, chunks), DONE], operation)
    except Fault:
        return

    assert parse_answer(completion.body, operation).body == completion.body


def test_an_answer_that_is_nested_too_deep_is_a_bad_response() -> None:
    deep = {**HEAD, "choices": [choice({"role": "assistant", "x": DEEP}, finish_reason="stop")]}

    assert reason_of(deep_json(deep), DONE) == "upstream_bad_response"


# --- taking apart ---


def chunks_of(*choices: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Return the chunks that an answer in one piece becomes."""
    body = orjson.dumps({**DOCUMENT_HEAD, "choices": list(choices), **fields})
    document = parse_answer(body).document
    chunks = taken(events_of(document, Operation.CHAT), shows_usage=True)
    return [orjson.loads(chunk) for chunk in chunks]


def whole(index: int = 0, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """Make a choice of an answer in one piece."""
    spoken = {"role": "assistant", "content": None, **message}
    return {"index": index, "message": spoken, "finish_reason": finish_reason}


def test_an_answer_becomes_its_text_its_end_and_its_usage() -> None:
    chunks = chunks_of(whole(content="Hi", finish_reason="length"), usage=dict(USAGE))

    assert [chunk["choices"] for chunk in chunks] == [
        [choice({"role": "assistant", "content": "Hi"})],
        [choice({}, finish_reason="length")],
        [],
    ]
    assert [chunk.get("usage") for chunk in chunks] == [None, None, USAGE]
    assert [{name: chunk[name] for name in HEAD} for chunk in chunks] == [HEAD] * 3


def test_the_tool_calls_of_an_answer_are_numbered() -> None:
    first, last = chunks_of(whole(tool_calls=[CALL, OTHER_CALL], finish_reason="tool_calls"))

    calls = first["choices"][0]["delta"]["tool_calls"]
    assert calls == [{"index": 0, **CALL}, {"index": 1, **OTHER_CALL}]
    assert last["choices"] == [choice({}, finish_reason="tool_calls")]


def test_a_fingerprint_is_in_every_chunk() -> None:
    chunks = chunks_of(whole(content="Hi"), system_fingerprint="fp_1")

    assert [chunk["system_fingerprint"] for chunk in chunks] == ["fp_1", "fp_1"]


def test_choices_without_an_index_are_counted() -> None:
    bare = [{"message": {"role": "assistant", "content": text}} for text in "ab"]

    first, last = chunks_of(*bare)

    assert [one["index"] for one in first["choices"]] == [0, 1]
    assert [one["index"] for one in last["choices"]] == [0, 1]


@pytest.mark.parametrize(
    ("message", "reason"), [({"content": "Hi"}, "stop"), ({"tool_calls": [CALL]}, "tool_calls")]
)
def test_an_answer_without_a_reason_for_its_end_gets_one(
    message: dict[str, Any], reason: str
) -> None:
    *_, last = chunks_of(whole(**message) | {"finish_reason": None})

    assert last["choices"][0]["finish_reason"] == reason


# --- there and back ---

TEXTS = st.text(max_size=6)
NAMES = st.text("abc_", min_size=1, max_size=6)
FUNCTIONS = st.fixed_dictionaries({"name": NAMES, "arguments": TEXTS})
CALLS = st.lists(
    st.fixed_dictionaries({"id": NAMES, "type": st.just("function"), "function": FUNCTIONS}),
    min_size=1,
    max_size=3,
    unique_by=lambda call: call["id"],
)
BESIDE = {"reasoning_content": TEXTS, "annotations": st.just([])}
SPOKEN = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": TEXTS},
    optional=BESIDE | {"refusal": TEXTS, "tool_calls": CALLS},
)
CALLED = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.none(), "tool_calls": CALLS}, optional=BESIDE
) | st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.none(), "function_call": FUNCTIONS}
)
TOKENS = st.lists(st.fixed_dictionaries({"token": TEXTS, "logprob": st.floats(-9, 0)}), max_size=2)
REASONS = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])


@st.composite
def documents(draw: st.DrawFn, kind: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    fields = {
        "usage": st.just(dict(USAGE)),
        "system_fingerprint": st.text(min_size=1, max_size=4),
    }
    choices = draw(st.lists(kind, min_size=1, max_size=3))
    numbered = [{"index": index, **one} for index, one in enumerate(choices)]
    return {**HEAD, "choices": numbered, **draw(st.fixed_dictionaries({}, optional=fields))}


CHAT_CHOICES = st.fixed_dictionaries(
    {"message": SPOKEN | CALLED, "finish_reason": REASONS},
    optional={"logprobs": st.fixed_dictionaries({"content": TOKENS})},
)
TEXT_CHOICES = st.fixed_dictionaries(
    {"text": TEXTS, "finish_reason": REASONS},
    optional={"logprobs": st.fixed_dictionaries({"tokens": st.lists(TEXTS, max_size=2)})},
)


@given(documents(CHAT_CHOICES))
def test_an_answer_taken_apart_and_put_together_is_the_same(document: dict[str, Any]) -> None:
    result = again(document)

    assert result["choices"] == document["choices"]
    assert [result.get(name) for name in ("usage", "system_fingerprint", "id", "model")] == [
        document.get(name) for name in ("usage", "system_fingerprint", "id", "model")
    ]


@given(documents(TEXT_CHOICES))
def test_a_text_completion_taken_apart_and_put_together_is_the_same(
    document: dict[str, Any],
) -> None:
    assert again(document, Operation.TEXT)["choices"] == document["choices"]


@given(documents(CHAT_CHOICES))
def test_the_chunks_of_an_answer_need_no_second_look(document: dict[str, Any]) -> None:
    chunks = taken(events_of(document, Operation.CHAT))

    assert taken([*chunks, DONE]) == chunks


def test_what_openai_writes_as_null_changes_no_message() -> None:
    message = {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": None}
    body = {**HEAD, "choices": [{"message": message, "logprobs": None, "finish_reason": "stop"}]}
    document = dict(parse_answer(orjson.dumps(body)).document)

    [result] = again(document)["choices"]

    assert result["message"] == {"role": "assistant", "content": "Hi"}
