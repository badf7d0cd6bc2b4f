"""A model that has written no text has answered all the same."""

from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Operation, TokenUsage
from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.faults import Fault
from tests.upstream.streamed import DONE, HEAD, USAGE, choice, collected, event, taken

REASONS = ["stop", "length", "content_filter", "tool_calls", None, "", "insufficient_resource"]
NO_TEXT: dict[str, dict[str, Any]] = {
    "null": {"content": None},
    "absent": {},
    "empty": {"content": ""},
    "no parts": {"content": []},
    "an empty part": {"content": [{"type": "text", "text": ""}]},
    "nulls beside it": {"content": None, "tool_calls": None, "refusal": None, "audio": None},
    "empty lists beside it": {"content": None, "tool_calls": [], "annotations": []},
}


@pytest.mark.parametrize("reason", REASONS, ids=repr)
@pytest.mark.parametrize("name", NO_TEXT)
def test_an_answer_without_text_is_an_answer(name: str, reason: str | None) -> None:
    message = {"role": "assistant", **NO_TEXT[name]}
    one = {"index": 0, "message": message, "finish_reason": reason}

    completion = parse_answer(orjson.dumps({**HEAD, "choices": [one], "usage": USAGE}))

    [settled] = completion.document["choices"]
    assert (settled["message"]["content"], completion.text) == ("", "")
    assert settled["finish_reason"] == (reason or "stop")
    assert completion.usage == TokenUsage(5, 2, "upstream")


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
@pytest.mark.parametrize("name", NO_TEXT)
def test_a_stream_without_text_is_an_answer(name: str, reason: str) -> None:
    events = [
        event(choice({"role": "assistant", **NO_TEXT[name]})),
        event(choice({}, finish_reason=reason)),
        DONE,
    ]

    assert len(taken(events)) == 2
    completion = collected(events)
    assert completion.text == ""
    assert completion.document["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("fields", [{}, {"text": None}, {"text": ""}], ids=repr)
@pytest.mark.parametrize("reason", ["stop", "length", None])
def test_a_text_completion_without_text_is_one(fields: dict[str, Any], reason: str | None) -> None:
    body = orjson.dumps({"choices": [{"index": 0, **fields, "finish_reason": reason}]})

    [settled] = parse_answer(body, Operation.TEXT).document["choices"]

    assert (settled["text"], settled["finish_reason"]) == ("", reason or "stop")


@pytest.mark.parametrize("content", ["Hi", [{"type": "text", "text": "Hi"}]], ids=repr)
def test_a_text_completion_in_the_form_of_a_chat_keeps_its_text(content: Any) -> None:
    message = {"role": "assistant", "content": content}
    one = {"index": 0, "message": message, "finish_reason": "stop"}

    completion = parse_answer(orjson.dumps({"choices": [one]}), Operation.TEXT)

    settled = {"index": 0, "text": "Hi", "finish_reason": "stop"}
    assert completion.document["choices"] == [settled]


@pytest.mark.parametrize("field", ["refusal", "reasoning_content", "reasoning"])
def test_what_was_said_instead_leaves_the_content_as_it_is(field: str) -> None:
    message = {"role": "assistant", "content": None, field: "because"}
    one = {"index": 0, "message": message, "finish_reason": "stop"}
    body = orjson.dumps({**HEAD, "object": "chat.completion", "choices": [one]})

    assert parse_answer(body).body == body


LOST = {"message": None, "finish_reason": "stop"}


@pytest.mark.parametrize(
    "wrong", [{}, {"message": None}, LOST, {"message": "Hi"}, "Hi", None], ids=repr
)
def test_a_choice_without_a_message_is_none(wrong: Any) -> None:
    with pytest.raises(Fault) as raised:
        parse_answer(orjson.dumps({**HEAD, "choices": [wrong]}))

    assert raised.value.error.reason == "upstream_bad_response"


@pytest.mark.parametrize(
    ("beside", "reason", "wanted"),
    [
        ({}, "length", "length"),
        ({}, "stop", "stop"),
        ({}, "SAFETY", "content_filter"),
        ({"message": None}, "length", "length"),
        ({"message": None}, "SAFETY", "content_filter"),
    ],
)
def test_a_choice_that_only_says_why_it_ended_has_said_nothing(
    beside: dict[str, Any], reason: str, wanted: str
) -> None:
    one = {"index": 0, "finish_reason": reason, **beside}

    completion = parse_answer(orjson.dumps({**HEAD, "choices": [one], "usage": USAGE}))

    [settled] = completion.document["choices"]
    assert settled["message"] == {"role": "assistant", "content": ""}
    assert settled["finish_reason"] == wanted
    assert completion.usage == TokenUsage(5, 2, "upstream")


# --- the reason for the end, in OpenAI's words ---

WORDS = [
    ("STOP", "stop"),
    ("end_turn", "stop"),
    ("eos", "stop"),
    ("MAX_TOKENS", "length"),
    ("model_length", "length"),
    ("max_output_tokens", "length"),
    ("tool_use", "tool_calls"),
    ("SAFETY", "content_filter"),
    ("sensitive", "content_filter"),
    ("IMAGE_PROHIBITED_CONTENT", "content_filter"),
    ("content_filter: RECITATION", "content_filter"),
    ("refusal", "content_filter"),
    ("insufficient_system_resource", "insufficient_system_resource"),
    ("abort", "abort"),
    ("FinishReason.STOP", "stop"),
    ("FINISH_REASON_MAX_TOKENS", "length"),
    (["length"], "length"),
    ({"type": "length", "length": 16}, "length"),
    # It was "stop"; but that a number stands there says only that the answer ended.
    (7, "7"),
]


@pytest.mark.parametrize(("given", "wanted"), WORDS)
def test_a_reason_of_another_vendor_gets_the_word_of_openai(given: Any, wanted: str) -> None:
    one = {"index": 0, "message": {"content": "Hi"}, "finish_reason": given}
    events = [event(choice({"content": "Hi"})), event(choice({}, finish_reason=given))]

    [whole] = parse_answer(orjson.dumps({**HEAD, "choices": [one]})).document["choices"]
    [*_, last] = taken(events)

    assert whole["finish_reason"] == wanted
    assert orjson.loads(last)["choices"][0]["finish_reason"] == wanted


@pytest.mark.parametrize("given", [None, "", "null", ["stop"], {"type": "stop"}, []], ids=repr)
@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"content": "Hi"}, "stop"),
        ({"tool_calls": [{"id": "a", "function": {"name": "f"}}]}, "tool_calls"),
        ({"function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
    ],
    ids=["text", "tools", "function"],
)
def test_a_whole_answer_without_a_reason_gets_one(
    given: Any, message: dict[str, Any], wanted: str
) -> None:
    one = {"index": 0, "message": message, "finish_reason": given}

    [settled] = parse_answer(orjson.dumps({**HEAD, "choices": [one]})).document["choices"]

    assert settled["finish_reason"] == wanted
