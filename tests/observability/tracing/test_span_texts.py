"""The texts in spans: in the conventions' form, cut, and without pictures."""

import json
from typing import Any

import orjson

from llm_api.observability.tracing.span_texts import (
    MAX_CHARACTERS,
    StreamedTexts,
    input_messages,
    output_messages,
)
from tests.support.tables import each

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


def text(content: str) -> dict[str, str]:
    """Return the part of a text."""
    return {"type": "text", "content": content}


@each(
    ("body", "expected"),
    [
        ({"messages": [{"role": "system", "content": "Hi"}]}, [("system", [text("Hi")])]),
        ({"prompt": "Once"}, [("user", [text("Once")])]),
        ({"input": ["a", "b"]}, [("user", [text("a")]), ("user", [text("b")])]),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, PICTURE]}]},
            [("user", [text("See"), {"type": "image_url"}])],
        ),
        (
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]},
            [("assistant", [{"type": "tool_call", "name": "look", "arguments": '{"a": 1}'}])],
        ),
        ({"messages": "x", "input": 3}, [("user", [text("x")])]),
        ({}, []),
    ],
)
def test_the_messages_of_a_prompt(body: dict[str, Any], expected: list[Any]) -> None:
    messages = json.loads(input_messages(body))

    assert [(one["role"], one["parts"]) for one in messages] == expected


@each(
    ("document", "expected"),
    [
        ({"choices": [{"message": {"role": "assistant", "content": "Yes"}}]}, ["Yes"]),
        ({"choices": [{"text": "a"}, {"text": "b"}]}, ["a", "b"]),
        (
            {
                "output": [
                    {"type": "reasoning"},
                    {"type": "message", "content": [{"type": "output_text", "text": "So"}]},
                ]
            },
            ["So"],
        ),
        ({"data": [{"embedding": [0.5]}]}, []),
    ],
)
def test_the_messages_of_an_answer(document: dict[str, Any], expected: list[str]) -> None:
    messages = json.loads(output_messages(document))

    assert [one["parts"][0]["content"] for one in messages] == expected


def test_long_texts_are_cut() -> None:
    body = {"messages": [{"role": "user", "content": "x" * MAX_CHARACTERS}] * 2}

    first, second = json.loads(input_messages(body))

    assert len(first["parts"][0]["content"]) == MAX_CHARACTERS
    assert second["parts"][0]["content"] == ""


def test_a_stream_is_read_as_it_passes() -> None:
    deltas = [
        {"choices": [{"index": 0, "delta": {"role": "assistant"}}]},
        {"choices": [{"index": 0, "delta": {"content": "He"}}]},
        {"choices": [{"index": 1, "delta": {"content": "no"}}]},
        {"type": "response.output_text.delta", "delta": "llo"},
        {"choices": [], "usage": {}},
    ]
    chunks = [orjson.dumps(one) for one in deltas]
    batches: list[list[bytes] | None] = [chunks[1:], None]
    texts = StreamedTexts(chunks[:1])
    others = texts.observed(lambda: batches.pop(0))

    assert (others(), others()) == (chunks[1:], None)
    assert json.loads(texts.messages())[0]["parts"] == [text("Hello")]
