"""Content that comes as parts becomes OpenAI's one text, and nothing is lost."""

from typing import Any

import orjson
import pytest

from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.faults import Fault
from tests.support.tables import each
from tests.upstream.streamed import DONE, HEAD, choice, collected, ended, event, taken

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
# What comes, and what becomes of it: content, thoughts, and what stands beside them.
PARTS: dict[str, tuple[Any, str | None, str | None, dict[str, Any]]] = {
    "Mistral": (
        [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "42"},
        ],
        "42",
        "hm",
        {},
    ),
    "several texts": (
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "ab",
        None,
        {},
    ),
    "output_text": ([{"type": "output_text", "text": "a", "annotations": []}], "a", None, {}),
    "plain strings": (["a", "b"], "ab", None, {}),
    "nested": ([[{"type": "text", "text": "a"}], ["b", [{"text": "c"}]]], "abc", None, {}),
    "text in a value": (
        [{"type": "text", "text": {"value": "a", "annotations": []}}],
        "a",
        None,
        {},
    ),
    "Anthropic's thinking": (
        [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "a"}],
        "a",
        "hm",
        {},
    ),
    "reasoning": ([{"type": "reasoning", "text": "hm"}, "a"], "a", "hm", {}),
    "a summary of it": (
        [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, "a"],
        "a",
        "hm",
        {},
    ),
    "thinking alone": ([{"type": "thinking", "thinking": "hm"}], None, "hm", {}),
    "one part without a list": ({"type": "text", "text": "a"}, "a", None, {}),
    "a picture": ([{"type": "text", "text": "a"}, PICTURE], "a", None, {"images": [PICTURE]}),
    "a picture alone": ([PICTURE], None, None, {"images": [PICTURE]}),
    "a refusal": ([{"type": "refusal", "refusal": "No."}], None, None, {"refusal": "No."}),
    "something else": (
        ["a", {"type": "audio", "data": "AAAA"}],
        "a",
        None,
        {"content_parts": [{"type": "audio", "data": "AAAA"}]},
    ),
    "an object that was read": ({"answer": 42}, '{"answer":42}', None, {}),
    "an object that has a text": ({"text": "a", "age": 3}, '{"text":"a","age":3}', None, {}),
    "one text without a type": ({"text": "a", "annotations": []}, "a", None, {}),
    "Gemini's own": ([{"text": "hm", "thought": True}, {"text": "a"}], "a", "hm", {}),
    "a number": (42, "42", None, {}),
    "no parts": ([], "", None, {}),
}


def settled(content: Any, **beside: Any) -> dict[str, Any]:
    """Return the message of an answer in one piece."""
    message = {"role": "assistant", "content": content, **beside}
    one = {"index": 0, "message": message, "finish_reason": "stop"}
    document = parse_answer(orjson.dumps({**HEAD, "choices": [one]})).document
    result: dict[str, Any] = document["choices"][0]["message"]
    return result


@each("name", PARTS)
def test_the_parts_of_a_message_become_one_text(name: str) -> None:
    content, text, thoughts, beside = PARTS[name]

    message = settled(content)

    assert (message.pop("content"), message.pop("reasoning_content", None)) == (text, thoughts)
    assert message == {"role": "assistant", **beside}


@each("name", PARTS)
def test_the_parts_of_a_delta_become_one_text(name: str) -> None:
    content, text, thoughts, beside = PARTS[name]
    events = [event(choice({"role": "assistant", "content": content})), ended(), DONE]

    [first, _] = [orjson.loads(chunk) for chunk in taken(events)]
    message = collected(events).document["choices"][0]["message"]

    delta = first["choices"][0]["delta"]
    assert (delta.pop("content"), delta.pop("reasoning_content", None)) == (text, thoughts)
    assert delta == {"role": "assistant", **beside}
    assert (message.get("content") or "") == (text or "")
    assert {name: message[name] for name in beside} == beside


def test_texts_of_a_stream_go_on_in_any_form() -> None:
    parts: list[Any] = ["a", [{"type": "text", "text": "b"}], ["c"], {"type": "text", "text": "d"}]
    events = [event(choice({"content": part})) for part in parts]

    assert collected([*events, ended(), DONE]).text == "abcd"


def test_pictures_of_a_stream_are_all_kept() -> None:
    events = [event(choice({"images": [PICTURE | {"n": n}]})) for n in range(3)]

    message = collected([*events, ended(), DONE]).document["choices"][0]["message"]

    assert [one["n"] for one in message["images"]] == [0, 1, 2]


@each("name", ["reasoning_content", "reasoning", "refusal"])
@each(
    "value", [["h", "m"], [{"type": "text", "text": "hm"}], {"text": "hm"}, [[{"thinking": "hm"}]]]
)
def test_other_texts_that_are_parts_become_one_text(name: str, value: Any) -> None:
    assert settled("a", **{name: value})[name] == "hm"


def test_thoughts_that_are_there_already_are_not_replaced() -> None:
    message = settled([{"type": "thinking", "thinking": "x"}, "a"], reasoning_content="hm")

    assert (message["content"], message["reasoning_content"]) == ("a", "hm")


@each("depth", [20, 200])
@each("name", ["content", "reasoning_content"])
def test_parts_that_are_nested_too_deep_are_a_bad_response(name: str, depth: int) -> None:
    deep: Any = "a"
    for _ in range(depth):
        deep = [deep]

    with pytest.raises(Fault, match="nested too deep"):
        settled(**{"content": "a", name: deep})


@each("content", ["", "a", "[]", '[{"type":"text","text":"a"}]'])
def test_a_text_is_passed_on_byte_by_byte(content: str) -> None:
    events = [event(choice({"role": "assistant", "content": content})), ended()]

    assert taken([*events, DONE]) == events
