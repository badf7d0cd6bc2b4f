"""What a client of Anthropic's gets for what an upstream answered in one piece."""

from collections.abc import Mapping
from typing import Any

from flask.testing import FlaskClient

from llm_api.web.anthropic.message_answers import SIGNATURE
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.anthropic.message_calls import Body, ask

THINKS = {"thinking": {"type": "adaptive"}}


def answer_of(message: Mapping[str, Any], reason: str = "stop", **choice: Any) -> replies.Reply:
    """Answer with a completion of one choice."""
    said = {"role": "assistant", "content": None, **message}
    return replies.completion(
        choices=[{"index": 0, "message": said, "finish_reason": reason, **choice}]
    )


def text(words: str) -> Body:
    """Make a block of text."""
    return {"type": "text", "text": words}


def called(arguments: str, id_: str = "call_1") -> Body:
    """Make a call as an upstream writes it."""
    return {"id": id_, "type": "function", "function": {"name": "draw", "arguments": arguments}}


def use(id_: str = "call_1", **given: Any) -> Body:
    """Make the block of a call."""
    return {"type": "tool_use", "id": id_, "name": "draw", "input": given}


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}
# The request's fields, an upstream's message and reason, and both as the client gets them.
ANSWERS: list[tuple[Body, Body, str, list[Body], str]] = [
    ({}, {"content": "Hi"}, "stop", [text("Hi")], "end_turn"),
    ({}, {"content": ""}, "stop", [], "end_turn"),
    ({}, {"content": "Hi"}, "length", [text("Hi")], "max_tokens"),
    ({}, {"content": "Hi"}, "content_filter", [text("Hi")], "refusal"),
    ({}, {"content": "Hi"}, "insufficient_system_resource", [text("Hi")], "end_turn"),
    ({}, {"refusal": "I will not."}, "stop", [text("I will not.")], "refusal"),
    ({}, {"content": "Hi"}, "tool_calls", [text("Hi")], "end_turn"),
    (
        {},
        {"content": "Well.", "tool_calls": [called('{"a": "b"}'), called("{}", "call_2")]},
        "tool_calls",
        [text("Well."), use(a="b"), use("call_2")],
        "tool_use",
    ),
    ({}, {"tool_calls": [called("{}")]}, "stop", [use()], "tool_use"),
    ({}, {"tool_calls": [called("")]}, "tool_calls", [use()], "tool_use"),
    ({}, {"tool_calls": [called("null")]}, "tool_calls", [use()], "tool_use"),
    ({}, {"tool_calls": [called('{"a')]}, "length", [use(INVALID_JSON='{"a')], "max_tokens"),
    ({}, {"tool_calls": [called("[1]")]}, "tool_calls", [use(INVALID_JSON="[1]")], "tool_use"),
    (
        THINKS,
        {"reasoning_content": "Hm.", "content": "Hi"},
        "stop",
        [THOUGHT, text("Hi")],
        "end_turn",
    ),
    (THINKS, {"reasoning": "Hm.", "content": "Hi"}, "stop", [THOUGHT, text("Hi")], "end_turn"),
    ({}, {"reasoning_content": "Hm.", "content": "Hi"}, "stop", [text("Hi")], "end_turn"),
    (
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"reasoning_content": "Hm.", "content": "Hi"},
        "stop",
        [text("Hi")],
        "end_turn",
    ),
    (
        {"thinking": {"type": "disabled"}},
        {"reasoning_content": "Hm.", "content": "Hi"},
        "stop",
        [text("Hi")],
        "end_turn",
    ),
]


@each("case", ANSWERS)
def test_an_answer_becomes_a_message(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    case: tuple[Body, Body, str, list[Body], str],
) -> None:
    fields, said, reason, blocks, ending = case
    upstream.script(answer_of(said, reason))

    message = ask(client, **fields).json

    assert message["content"] == blocks
    assert message["stop_reason"] == ending
    assert message["stop_sequence"] is None
    is_refused = message["stop_details"] == {
        "type": "refusal",
        "category": None,
        "explanation": None,
    }
    assert is_refused is (ending == "refusal")


def test_a_message_has_the_head_that_clients_need(client: FlaskClient) -> None:
    answer = ask(client)

    message = answer.json
    head = {name: message[name] for name in ("id", "type", "role", "model")}
    assert head == {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
    }
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


STOPS = {"stop_sequences": ["END", "###"]}


@each(
    ("fields", "choice", "expected"),
    [
        (STOPS, {"stop_reason": "END"}, ("stop_sequence", "END")),  # vLLM
        (STOPS, {"matched_stop": "###"}, ("stop_sequence", "###")),  # SGLang
        (STOPS, {"stop_reason": 128009}, ("end_turn", None)),
        (STOPS, {"stop_reason": "other"}, ("end_turn", None)),
        (STOPS, {"stop_reason": None}, ("end_turn", None)),
        ({}, {"stop_reason": "END"}, ("end_turn", None)),
    ],
)
def test_the_stop_sequence_is_told_where_the_upstream_says_which_it_was(
    client: FlaskClient,
    upstream: ScriptedUpstream,
    fields: Body,
    choice: Body,
    expected: tuple[str, str | None],
) -> None:
    upstream.script(answer_of({"content": "Hi"}, **choice))

    message = ask(client, **fields).json

    assert (message["stop_reason"], message["stop_sequence"]) == expected


def tokens(given: int, written: int, read: int, out: int) -> Body:
    """Make a usage of Anthropic's."""
    return {
        "input_tokens": given,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": out,
    }


@each(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 50, "completion_tokens": 7}, tokens(50, 0, 0, 7)),
        (
            {
                "prompt_tokens": 50,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            {**tokens(25, 5, 20, 7), "output_tokens_details": {"thinking_tokens": 3}},
        ),
        (
            # Anthropic's own, which relays of its API leave as it is.
            {"input_tokens": 30, "output_tokens": 7, "cache_read_input_tokens": 20},
            tokens(30, 0, 20, 7),
        ),
        # What is not counted is estimated: by the text of the request, and of the answer.
        (None, tokens(6, 0, 0, 3)),
        ({"prompt_tokens": "many", "completion_tokens": 7}, tokens(6, 0, 0, 3)),
    ],
)
def test_input_tokens_are_those_that_were_not_cached(
    client: FlaskClient, upstream: ScriptedUpstream, usage: Body | None, expected: Body
) -> None:
    upstream.script(replies.completion("Hello, you", usage=usage))

    assert ask(client).json["usage"] == expected
