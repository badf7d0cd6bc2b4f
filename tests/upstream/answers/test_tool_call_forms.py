"""Whatever a vendor does with its tool calls, SDKs put the same calls together."""

from typing import Any

import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.faults import Fault
from tests.support.tables import each
from tests.upstream.streamed import DONE, HEAD, choice, collected, ended, event, taken

Part = dict[str, Any]
Call = tuple[str | None, str]
PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome"}'


def part(name: str | None = None, arguments: Any = "", **fields: Any) -> Part:
    """Make what a delta says of a call."""
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {**fields, "function": function}


def stream(*deltas: list[Part]) -> list[bytes]:
    """Make the events of an answer, each with parts of calls."""
    return [event(choice({"tool_calls": parts})) for parts in deltas] + [ended("tool_calls"), DONE]


def by_openai(events: list[bytes]) -> list[Call]:
    """Put chunks together as openai-python does, and return the calls; each must have an id."""
    state = ChatCompletionStreamState()
    for one in taken(events):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(one))
    calls = state.get_final_completion().choices[0].message.tool_calls or []
    assert len({call.id for call in calls}) == len(calls)
    assert all(call.id.strip() and call.type == "function" for call in calls)
    return [(call.function.name, call.function.arguments) for call in calls]


def by_us(events: list[bytes]) -> list[Call]:
    """Put a stream together as it is for a caller who asked for none."""
    calls = collected(events).document["choices"][0]["message"]["tool_calls"]
    assert len({call["id"] for call in calls}) == len(calls)
    return [(call["function"].get("name"), call["function"]["arguments"]) for call in calls]


def in_order(events: list[bytes]) -> list[int]:
    """Return the index of every part that is passed on."""
    chunks = [orjson.loads(one) for one in taken(events)]
    deltas = [one["delta"] for chunk in chunks for one in chunk["choices"]]
    return [call["index"] for delta in deltas for call in delta.get("tool_calls", [])]


# --- several calls under one index ---

TWO = [("read", PARIS), ("write", ROME)]
SAME = [("read", PARIS), ("read", ROME)]
ONE_INDEX = {
    "whole, without an id": ([[part("read", PARIS, index=0)], [part("write", ROME, index=0)]], TWO),
    "whole, in one delta": ([[part("read", PARIS, index=0), part("write", ROME, index=0)]], TWO),
    "empty ids": (
        [[part("read", PARIS, index=0, id="")], [part("write", ROME, index=0, id="")]],
        TWO,
    ),
    "equal ids, other names": (
        [[part("read", PARIS, index=0, id="a")], [part("write", ROME, index=0, id="a")]],
        TWO,
    ),
    "equal ids, equal names": (
        [[part("read", PARIS, index=0, id="a")], [part("read", ROME, index=0, id="a")]],
        SAME,
    ),
    "equal names, no ids": ([[part("read", PARIS, index=0)], [part("read", ROME, index=0)]], SAME),
    "equal names, in pieces": (
        [
            [part("read", index=0, type="function")],
            [part(arguments=PARIS[:5], index=0)],
            [part(arguments=PARIS[5:], index=0)],
            [part("read", index=0, type="function")],
            [part(arguments=ROME, index=0)],
        ],
        SAME,
    ),
    "other ids, in pieces": (
        [
            [part("read", index=0, id="a")],
            [part(arguments=PARIS, index=0)],
            [part("read", index=0, id="b")],
            [part(arguments=ROME, index=0)],
        ],
        SAME,
    ),
    "without arguments": (
        [[part("now", index=0, id="a"), part("now", index=0, id="b")]],
        [("now", ""), ("now", "")],
    ),
    "the same call twice": (
        [[part("roll", "{}", index=0)], [part("roll", "{}", index=0)]],
        [("roll", "{}"), ("roll", "{}")],
    ),
    "objects": (
        [[part("read", {"city": "Paris"}, index=0)], [part("write", {"city": "Rome"}, index=0)]],
        TWO,
    ),
    "no index at all": ([[part("read", PARIS)], [part("write", ROME)]], TWO),
    "no index, in one delta": ([[part("read", PARIS), part("read", ROME)]], SAME),
    "no index, in pieces": (
        [
            [part("read", id="a")],
            [part(arguments=PARIS)],
            [part("write", id="b")],
            [part(arguments=ROME)],
        ],
        TWO,
    ),
}


@each("name", ONE_INDEX)
def test_calls_that_share_an_index_are_told_apart(name: str) -> None:
    deltas, wanted = ONE_INDEX[name]

    assert by_openai(stream(*deltas)) == wanted
    assert by_us(stream(*deltas)) == wanted
    assert sorted(set(in_order(stream(*deltas)))) == [0, 1]


# --- one call, whatever its later parts are called ---

GOES_ON = {
    "other id": [part("f", index=0, id="a"), part(None, "{", index=0, id="b"), "b"],
    "another id each time": [part("f", index=0, id="a"), part(None, "{", index=0, id="b"), "c"],
    "growing id": [part("f", index=0, id="a"), part(None, "{", index=0, id="ab"), "abc"],
    "blank id": [part("f", index=0, id="a"), part(None, "{", index=0, id=" "), ""],
    "with type": [
        part("f", index=0, id="a", type="function"),
        part(None, "{", index=0, id="b", type="function"),
        "b",
    ],
    "id comes late": [part("f", index=0, id=""), part(None, "{", index=0, id="b"), "b"],
    "name repeated": [part("f", index=0, id="a"), part("f", "{", index=0, id="a"), "a"],
    "name repeated, other id": [
        part("f", index=0, id="a"),
        part("f", "{", index=0, id="b", type="function"),
        "c",
    ],
    "name repeated, no id": [part("f", index=0), part("f", "{", index=0), ""],
}


@each("name", GOES_ON)
def test_a_call_goes_on_under_its_index(name: str) -> None:
    first, second, last_id = GOES_ON[name]
    again = {"name": "f"} if "repeated" in name else {}
    last = {"index": 0, "id": last_id, "function": {**again, "arguments": "}"}}

    assert by_openai(stream([first], [second], [last])) == [("f", "{}")]
    assert by_us(stream([first], [second], [last])) == [("f", "{}")]


def test_a_call_that_is_named_again_behind_its_end_is_no_other() -> None:
    first = part("f", "{}", index=0, id="a", type="function")

    assert by_openai(stream([first], [part("f", "", index=0, id="a")])) == [("f", "{}")]
    assert by_openai(stream([first], [part("f", "", index=0)])) == [("f", "{}")]
    assert by_openai(stream([first], [part(None, "\n", index=0)])) == [("f", "{}\n")]


@each("again", [{}, "{}", {"city": "Paris"}, PARIS])
def test_arguments_that_are_said_again_are_said_once(again: Any) -> None:
    parts = [
        part("f", PARIS[:5], index=0),
        part(None, PARIS[5:], index=0),
        part(None, again, index=0),
    ]

    assert by_openai(stream(*([one] for one in parts))) == [("f", PARIS)]
    assert by_us(stream(*([one] for one in parts))) == [("f", PARIS)]


def test_a_call_that_says_no_arguments_has_none() -> None:
    bare = {"index": 0, "id": "a", "function": {"name": "now"}}

    assert calls_of([bare]) == [("now", "{}")]
    assert by_us(stream([bare])) == [("now", "{}")]


def test_a_call_that_is_in_no_list_is_one_in_a_stream_too() -> None:
    events = [event(choice({"tool_calls": part("f", "{}", id="a")})), ended("tool_calls"), DONE]

    assert by_openai(events) == [("f", "{}")]


def test_a_call_goes_on_without_an_index_whatever_its_id() -> None:
    parts = [part("f", id="a"), part(None, "{", id="b"), part(None, "}", id="")]

    assert by_openai(stream(*([one] for one in parts))) == [("f", "{}")]


def test_a_call_whose_index_grows_with_its_parts_is_one() -> None:
    parts = [part("f", index=0, id="a"), part(None, "{", index=1), part(None, "}", index=2, id="a")]

    assert by_openai(stream(*([one] for one in parts))) == [("f", "{}")]


# --- numbering ---


@each(
    ("first", "second"),
    [(1, 2), (3, 7), ("0", "1"), ("1", "2"), (0.0, 1.0), (5, 2), (None, None), ("", "")],
)
def test_calls_are_numbered_from_nought_without_gaps(first: Any, second: Any) -> None:
    deltas = [
        [part("read", PARIS[:4], index=first, id="a")],
        [part(None, PARIS[4:], index=first)],
        [part("write", index=second, id="b")],
        [part(None, ROME, index=second)],
    ]

    assert in_order(stream(*deltas)) == [0, 0, 1, 1]
    assert by_openai(stream(*deltas)) == TWO


def test_calls_that_come_in_turns_stay_apart() -> None:
    deltas = [
        [part("read", index=1, id="a"), part("write", index=2, id="b")],
        [part(None, PARIS[:4], index=1), part(None, ROME[:4], index=2)],
        [part(None, ROME[4:], index=2), part(None, PARIS[4:], index=1)],
    ]

    assert in_order(stream(*deltas)) == [0, 1, 0, 1, 1, 0]
    assert by_openai(stream(*deltas)) == TWO


# --- arguments that are no text ---

ARGUMENTS = [
    ({"command": "ls"}, '{"command":"ls"}'),
    ([1, {"a": "猫"}], '[1,{"a":"猫"}]'),
    ({}, "{}"),
    (5, "5"),
    (True, "true"),
]


@each(("given", "wanted"), ARGUMENTS)
def test_arguments_become_text(given: Any, wanted: str) -> None:
    events = stream([part("f", given, index=0, id="a", type="function")])

    assert by_openai(events) == [("f", wanted)]
    assert calls_of([part("f", given, id="a", type="function")]) == [("f", wanted)]


def test_arguments_that_are_null_are_nothing() -> None:
    assert by_openai(stream([part("f", None, index=0)], [part(None, "{}", index=0)])) == [
        ("f", "{}")
    ]
    assert calls_of([part("f", None)]) == [("f", "{}")]


@each("given", [{"a": 1}, [1], None])
def test_a_function_call_of_the_form_before_tools_has_text(given: Any) -> None:
    called = {"name": "f", "arguments": given}
    text = "" if given is None else orjson.dumps(given).decode()

    [chunk] = taken([event(choice({"function_call": called}, finish_reason="function_call"))])
    message = message_of(content=None, function_call=dict(called))

    assert orjson.loads(chunk)["choices"][0]["delta"]["function_call"]["arguments"] == text
    assert message["function_call"]["arguments"] == (text or "{}")


def test_a_function_that_is_not_wrapped_is_wrapped() -> None:
    bare = {"name": "f", "arguments": {"a": 1}}

    assert by_openai(stream([{"index": 0, **bare}])) == [("f", '{"a":1}')]
    assert calls_of([dict(bare)]) == [("f", '{"a":1}')]


# --- in one piece ---


def message_of(**message: Any) -> dict[str, Any]:
    """Return a message as it is passed on, in an answer in one piece."""
    body = {**HEAD, "choices": [{"index": 0, "message": {"role": "assistant", **message}}]}
    settled: dict[str, Any] = parse_answer(orjson.dumps(body)).document["choices"][0]["message"]
    return settled


def calls_of(calls: Any) -> list[Call]:
    """Return the calls of a message in one piece; each must have an id of its own."""
    settled = message_of(content=None, tool_calls=calls)["tool_calls"]
    ids = [call["id"] for call in settled]
    assert len(set(ids)) == len(ids)
    assert all(isinstance(one, str) and one.strip() for one in ids)
    assert {call["type"] for call in settled} == {"function"}
    return [(call["function"]["name"], call["function"]["arguments"]) for call in settled]


@each("given", [{}, {"id": None}, {"id": ""}, {"id": " \n"}, {"id": 7}, {"id": ["a"]}])
def test_a_call_without_an_id_gets_one(given: Part) -> None:
    bare = [part("f", "{}", **given), part("g", "{}", **given)]

    assert calls_of(bare) == [("f", "{}"), ("g", "{}")]
    assert by_openai(stream([part("f", "{}", index=0, **given)])) == [("f", "{}")]


def test_two_calls_with_one_id_get_two() -> None:
    assert calls_of([part("f", "{}", id="a"), part("g", "{}", id="a")]) == [
        ("f", "{}"),
        ("g", "{}"),
    ]


def test_an_id_is_kept_where_it_is_one() -> None:
    settled = message_of(tool_calls=[part("f", "{}", id="x"), part("g", "{}")])["tool_calls"]

    assert settled[0]["id"] == "x"
    assert settled[1]["id"].startswith("call_")


def test_the_first_part_has_the_id_and_the_later_ones_have_none() -> None:
    chunks = taken(stream([part("f", index=0)], [part(None, "{}", index=0, id="late")]))

    first, second = (orjson.loads(c)["choices"][0]["delta"]["tool_calls"][0] for c in chunks[:2])
    assert first["id"].startswith("call_")
    assert "id" not in second


def test_a_call_that_is_not_in_a_list_is_one_call() -> None:
    assert calls_of(part("f", "{}", id="a")) == [("f", "{}")]


def test_calls_in_the_right_form_are_passed_on_byte_by_byte() -> None:
    calls = [part("f", '{ "a" : 1 }', id="a", type="function") | {"x": None}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    whole = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    head = {**HEAD, "object": "chat.completion"}
    body = orjson.dumps({**head, "choices": [whole]}, option=orjson.OPT_INDENT_2)

    assert parse_answer(body).body == body


def test_a_custom_call_stays_one() -> None:
    custom = {"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}

    [settled] = message_of(tool_calls=[dict(custom)])["tool_calls"]

    assert settled == custom


@each("calls", [["f"], [None], "f", 5, {"a": 1}])
def test_what_is_no_call_is_a_bad_response(calls: Any) -> None:
    with pytest.raises(Fault, match="malformed tool calls"):
        message_of(tool_calls=calls)
    with pytest.raises(Fault, match="malformed tool calls"):
        taken([event(choice({"tool_calls": calls}))] if calls != {"a": 1} else stream(["f"]))
