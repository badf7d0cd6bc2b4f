"""Items of a conversation become the messages of a chat, in an order that every upstream takes."""

from typing import Any

from flask import Flask

from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.openai.responses.requests import (
    PNG,
    RESPONSES,
    USER,
    answered,
    body,
    called,
    chat_answer,
    chat_call,
    chat_calls,
    messages,
    said,
)

THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}
REASONED = THOUGHT | {"content": [{"type": "reasoning_text", "text": "Hm."}]}
CUSTOM_CALL = {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": 'a "b"\n'}
CUSTOM_OUTPUT = {"type": "custom_tool_call_output", "call_id": "c", "output": "done"}
REMINDER = "<system-reminder>\nb\n</system-reminder>"
PDF = "data:application/pdf;base64,JVBERg=="


def text(words: str, kind: str = "input_text") -> dict[str, Any]:
    return {"type": kind, "text": words, "annotations": [], "logprobs": []}


def image(**more: Any) -> dict[str, Any]:
    return {"type": "input_image", **more}


def chat_image(url: str = PNG, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def chat_text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


@each(
    ("given", "expected"),
    [
        # texts
        ("Hi", [USER]),
        ("", [said("user", "")]),
        ([USER], [USER]),
        ([USER | {"type": "message", "id": "msg_1", "status": "completed"}], [USER]),
        ([said("user", [text("Hi")])], [USER]),
        ([said("user", [text("Hi", "text")])], [USER]),
        ([said("user", [])], [said("user", "")]),
        (
            [said("user", [text("a"), text("b")])],
            [said("user", [chat_text("a"), chat_text("b")])],
        ),
        (
            [USER, said("assistant", [text("a", "output_text"), text("b", "output_text")])],
            [USER, said("assistant", "ab")],
        ),
        ([said("assistant", "Yes?"), USER], [said("assistant", "Yes?"), USER]),
        (
            [USER, said("assistant", [{"type": "refusal", "refusal": "No."}])],
            [USER, said("assistant", "No.")],
        ),
        ([said("assistant", "a"), said("assistant", "b")], [said("assistant", x) for x in "ab"]),
        # who instructs
        ([said("developer", "Be"), USER], [said("system", "Be"), USER]),
        (
            [said("system", "a"), said("developer", [text("b"), text("c")]), USER],
            [said("system", "a\n\nb\n\nc"), USER],
        ),
        ([USER, said("developer", "b"), USER], [USER, said("user", REMINDER), USER]),
        (
            [said("system", [text("a"), image(image_url=PNG)]), said("system", "b"), USER],
            [said("system", [chat_text("a"), chat_image()]), said("user", REMINDER), USER],
        ),
        # pictures, sounds, files
        ([said("user", [image(image_url=PNG)])], [said("user", [chat_image()])]),
        ([said("user", [image(image_url=PNG, detail="auto")])], [said("user", [chat_image()])]),
        (
            [said("user", [image(image_url=PNG, detail="low", file_id=None)])],
            [said("user", [chat_image(detail="low")])],
        ),
        (
            [said("user", [image(image_url=PNG, detail="original")])],
            [said("user", [chat_image(detail="high")])],
        ),
        (
            [said("user", [image(image_url={"url": "https://example.com/a.png"})])],
            [said("user", [chat_image("https://example.com/a.png")])],
        ),
        (
            [
                said(
                    "user",
                    [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}],
                )
            ],
            [
                said(
                    "user",
                    [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}],
                )
            ],
        ),
        (
            [
                said(
                    "user",
                    [
                        {
                            "type": "input_file",
                            "filename": "a.md",
                            "file_data": "data:text/markdown;base64,w6Q=",
                        }
                    ],
                )
            ],
            [said("user", "a.md:\n\nä")],
        ),
        (
            [
                said(
                    "user",
                    [
                        {
                            "type": "input_file",
                            "file_data": "data:application/json;charset=utf-8;base64,e30=",
                        }
                    ],
                )
            ],
            [said("user", "file:\n\n{}")],
        ),
        # calls
        (
            [USER, called("c", id="fc_1", status="completed"), answered("c")],
            [USER, chat_calls(chat_call("c")), chat_answer("c")],
        ),
        (
            [USER, called("c"), called("d"), answered("d", "2"), answered("c", "1")],
            [
                USER,
                chat_calls(chat_call("c"), chat_call("d")),
                chat_answer("c", "1"),
                chat_answer("d", "2"),
            ],
        ),
        (
            [USER, said("assistant", "Wait."), called("c"), answered("c")],
            [USER, chat_calls(chat_call("c"), content="Wait."), chat_answer("c")],
        ),
        (
            [USER, called("c"), said("assistant", "Wait."), answered("c")],
            [USER, chat_calls(chat_call("c"), content="Wait."), chat_answer("c")],
        ),
        (
            [said("assistant", "a"), called("c"), said("assistant", "b"), answered("c")],
            [chat_calls(chat_call("c"), content="a\n\nb"), chat_answer("c")],
        ),
        (
            [said("assistant", "a"), said("assistant", "b"), called("c"), answered("c")],
            [said("assistant", "a"), chat_calls(chat_call("c"), content="b"), chat_answer("c")],
        ),
        (
            [called("c"), USER, answered("c")],
            [chat_calls(chat_call("c")), chat_answer("c"), USER],
        ),
        (
            [called("c"), answered("c", "1"), called("c"), answered("c", "2")],
            [
                chat_calls(chat_call("c")),
                chat_answer("c", "1"),
                chat_calls(chat_call("c")),
                chat_answer("c", "2"),
            ],
        ),
        (
            [USER, CUSTOM_CALL, CUSTOM_OUTPUT],
            [
                USER,
                chat_calls(chat_call("c", "patch", '{"input":"a \\"b\\"\\n"}')),
                chat_answer("c", "done"),
            ],
        ),
        (
            [called("c"), called("c"), answered("c", "1"), answered("c", "2")],
            [
                chat_calls(chat_call("c"), chat_call("c")),
                chat_answer("c", "1"),
                chat_answer("c", "2"),
            ],
        ),
        (
            [called("c", "spawn", namespace="agents"), answered("c")],
            [chat_calls(chat_call("c", "agents__spawn")), chat_answer("c")],
        ),
        (
            [called("c", "a.b/c"), answered("c")],
            [chat_calls(chat_call("c", "a_b_c_fc7cd9c4")), chat_answer("c")],
        ),
        # outputs
        ([called("c"), answered("c", "")], [chat_calls(chat_call("c")), chat_answer("c", "")]),
        ([called("c"), answered("c", [])], [chat_calls(chat_call("c")), chat_answer("c", "")]),
        (
            [called("c"), answered("c", [text("a"), text("b")])],
            [chat_calls(chat_call("c")), chat_answer("c", "a\nb")],
        ),
        (
            [
                called("c"),
                called("d"),
                answered("c", [text("a"), image(image_url=PNG)]),
                answered("d"),
            ],
            [
                chat_calls(chat_call("c"), chat_call("d")),
                chat_answer("c", "a\nWhat else it has is in the next message."),
                chat_answer("d"),
                said("user", [chat_text("From the output of c:"), chat_image()]),
            ],
        ),
        # what is left out
        ([THOUGHT, USER], [USER]),
        ([{"type": "web_search_call", "id": "ws_1", "status": "completed"}, USER], [USER]),
        ([{"type": "additional_tools", "role": "developer", "tools": []}, USER], [USER]),
    ],
)
def test_items_become_messages(
    module_app: Flask,
    service_upstream: ScriptedUpstream,
    given: Any,
    expected: list[dict[str, Any]],
) -> None:
    assert messages(module_app.test_client(), service_upstream, given) == expected


def test_instructions_stand_in_front_in_one_message(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    client = module_app.test_client()

    alone = messages(client, service_upstream, "Hi", instructions="Be brief.")
    both = messages(client, service_upstream, [said("developer", "b"), USER], instructions="a")

    assert alone == [said("system", "Be brief."), USER]
    assert both == [said("system", "a\n\nb"), USER]


@each(
    ("given", "field", "reason"),
    [
        ([], "input", "out_of_range"),
        (5, "input", "invalid_type"),
        (None, "input", "invalid_type"),
        ([USER] * 8_193, "input", "out_of_range"),
        ([5], "input[0]", "invalid_type"),
        ([USER, {"type": "mesage"}], "input[1].type", "out_of_range"),
        ([{"type": ["message"]}], "input[0].type", "out_of_range"),
        ([{}], "input[0].id", "invalid_type"),
        ([{"role": "tool", "content": "x"}], "input[0].role", "out_of_range"),
        ([{"role": "user"}], "input[0].content", "invalid_type"),
        ([said("user", None)], "input[0].content", "invalid_type"),
        ([said("user", ["Hi"])], "input[0].content[0]", "invalid_type"),
        ([said("user", [{"type": "text_input"}])], "input[0].content[0].type", "out_of_range"),
        ([said("user", [{"type": {}}])], "input[0].content[0].type", "out_of_range"),
        ([said("user", [{"type": "input_text"}])], "input[0].content[0].text", "invalid_type"),
        ([said("user", [text("x")] * 257)], "input[0].content", "out_of_range"),
        ([said("user", [image()])], "input[0].content[0].image_url", "invalid_type"),
        (
            [said("user", [image(image_url="a.png")])],
            "input[0].content[0].image_url",
            "invalid_url",
        ),
        ([said("user", [{"type": "input_file"}])], "input[0].content[0].file_data", "invalid_type"),
        (
            [said("user", [{"type": "input_audio"}])],
            "input[0].content[0].input_audio",
            "invalid_type",
        ),
        ([called("c") | {"arguments": {}}], "input[0].arguments", "invalid_type"),
        ([called("c") | {"name": None}], "input[0].name", "invalid_type"),
        ([called("c") | {"call_id": 1}], "input[0].call_id", "invalid_type"),
        ([called("c"), answered("c", None)], "input[1].output", "invalid_type"),
        ([called("c"), answered("c", [{"type": "x"}])], "input[1].output[0].type", "out_of_range"),
        ([{"type": "item_reference"}], "input[0].id", "invalid_type"),
        ([{"type": "additional_tools", "tools": [{}]}], "input[0].tools", "invalid_type"),
        # calls and outputs
        ([USER, answered("c")], "input[1].call_id", "tool_call_unmatched"),
        ([answered("c"), called("c")], "input[0].call_id", "tool_call_unmatched"),
        ([called("c"), USER], "input[0].call_id", "tool_call_unmatched"),
        ([called("c"), answered("c"), answered("c")], "input[2].call_id", "tool_call_unmatched"),
        ([called("c"), called("d"), answered("c")], "input[1].call_id", "tool_call_unmatched"),
        # what a chat has nothing for
        ([{"type": "compaction", "encrypted_content": "x"}, USER], "input[0]", "not_supported"),
        (
            [said("user", [{"type": "input_file", "file_url": "https://example.com/a.pdf"}])],
            "input[0].content[0].file_url",
            "not_supported",
        ),
        (
            [said("user", [image(file_id="file-abc")])],
            "input[0].content[0].file_id",
            "not_supported",
        ),
        ([said("user", [{"type": "input_file", "file_data": PDF}])], None, "not_supported"),
        (
            [said("user", [{"type": "input_file", "file_data": "data:text/plain;base64,/w=="}])],
            "input[0].content[0].file_data",
            "invalid_url",
        ),
    ],
)
def test_what_cannot_be_told_to_a_model_is_refused_with_its_place(
    refuse: Refuse, given: Any, field: str | None, reason: str
) -> None:
    refusal = refuse(RESPONSES, body(given))

    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == (() if field is None else (field,))
