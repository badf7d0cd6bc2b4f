"""The parts of tool calls in a stream come out as SDKs put them together."""

from typing import Any

import pytest

from llm_api.domain.calls import TextLength
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.faults import Fault
from tests.upstream.streamed import DONE, choice, collected, deltas, event, taken, tool_calls

FIRST = {
    "index": 0,
    "id": "call_a",
    "type": "function",
    "function": {"name": "get_weather", "arguments": ""},
}


def calls(*parts: dict[str, Any], **delta: Any) -> bytes:
    """Make an event with parts of tool calls."""
    return event(choice({**delta, "tool_calls": list(parts)}))


def rest(arguments: str, **fields: Any) -> dict[str, Any]:
    """Make a later part of a tool call."""
    return {**fields, "function": {"arguments": arguments}}


def test_tool_calls_that_are_right_are_passed_on_byte_by_byte() -> None:
    events = [
        calls(FIRST, role="assistant", content=None),
        calls(rest('{"city":', index=0)),
        calls(rest('"Paris"}', index=0), {**FIRST, "index": 1, "id": "call_b"}),
        calls(rest("{}", index=1), rest(" ", index=0)),
    ]

    assert taken([*events, DONE]) == events


def test_an_index_is_added_to_every_part() -> None:
    bare = {name: value for name, value in FIRST.items() if name != "index"}

    parts = tool_calls(calls(bare), calls(rest("{")), calls(bare | {"id": "b"}), calls(rest("[")))

    assert [part["index"] for part in parts] == [0, 0, 1, 1]


def test_several_calls_without_an_index_in_one_event_are_counted() -> None:
    bare = {name: value for name, value in FIRST.items() if name != "index"}

    parts = tool_calls(calls(bare, bare | {"id": "call_b"}))

    assert [(part["index"], part["id"]) for part in parts] == [(0, "call_a"), (1, "call_b")]


def test_a_part_whose_index_is_null_is_counted_too() -> None:
    parts = tool_calls(calls(FIRST | {"index": None}), calls(rest("{}", index=None)))

    assert [part["index"] for part in parts] == [0, 0]


@pytest.mark.parametrize("name", ["id", "type"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_an_id_and_a_type_are_in_the_first_part_only(*, name: str, is_empty: bool) -> None:
    value = "" if is_empty else FIRST[name]

    first, second = tool_calls(calls(FIRST), calls(rest("{}", index=0, **{name: value})))

    assert first == FIRST
    assert second == rest("{}", index=0)


@pytest.mark.parametrize("repeated", ["get_weather", "", None])
def test_a_name_is_in_the_first_part_only(repeated: str | None) -> None:
    again = {"index": 0, "function": {"name": repeated, "arguments": "{}"}}

    first, second = tool_calls(calls(FIRST), calls(again))

    assert first == FIRST
    assert second == rest("{}", index=0)


def test_what_is_repeated_in_every_part_is_in_the_first_only() -> None:
    whole = [FIRST | {"function": {"name": "get_weather", "arguments": text}} for text in "{}"]

    first, second = tool_calls(calls(whole[0]), calls(whole[1]))

    assert first == whole[0]
    assert second == rest("}", index=0)


def test_what_only_another_call_has_had_is_kept() -> None:
    other = FIRST | {"index": 1, "id": "call_b"}

    assert tool_calls(calls(FIRST), calls(other)) == [FIRST, other]


def test_choices_count_their_calls_apart() -> None:
    both = [choice({"role": "assistant", "tool_calls": [FIRST]}, index) for index in range(2)]

    assert taken([event(*both), DONE]) == [event(*both)]


@pytest.mark.parametrize("nothing", [None, []])
def test_a_delta_may_say_that_it_has_no_tool_call(nothing: Any) -> None:
    spoken = event(choice({"role": "assistant", "content": "Hi", "tool_calls": nothing}))

    assert taken([spoken, DONE]) == [spoken]


def test_a_part_without_a_function_is_passed_on() -> None:
    opening = {"index": 0, "id": "call_a", "type": "function"}

    assert tool_calls(calls(opening), calls(rest("{}", index=0))) == [opening, rest("{}", index=0)]


@pytest.mark.parametrize(
    "part",
    [
        FIRST | {"function": "get_weather"},
        FIRST | {"function": ["get_weather"]},
        FIRST | {"index": "first"},
        FIRST | {"index": 0.5},
        FIRST | {"index": True},
        FIRST | {"index": [0]},
        FIRST | {"index": {}},
        FIRST | {"function": {"name": ["get_weather"]}},
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [[], [calls(FIRST)]], ids=["first", "later"])
def test_a_tool_call_that_is_malformed_is_a_bad_response(
    before: list[bytes], part: dict[str, Any]
) -> None:
    with pytest.raises(Fault) as raised:
        taken([*before, calls(part), DONE])

    assert raised.value.error.reason == "upstream_bad_response"


def test_the_arguments_are_noted_to_count_them() -> None:
    answer = StreamedAnswer()

    for one in [calls(FIRST), calls(rest('{"a":', index=0)), calls(rest("1}", index=0))]:
        answer.take(one)

    assert answer.length == TextLength(in_ascii=7)


def test_the_role_is_added_beside_tool_calls() -> None:
    [delta] = deltas(calls(FIRST))

    assert delta == {"role": "assistant", "tool_calls": [FIRST]}


def test_calls_that_share_a_number_are_told_apart_by_their_ids() -> None:
    """Older Gemini endpoints number every call 0; SDKs would run their arguments together."""
    one, other = FIRST | {"index": 0, "id": "call_a"}, FIRST | {"index": 0, "id": "call_b"}

    told = deltas(
        calls(one), calls(rest('{"a":1}', index=0)), calls(other), calls(rest("2", index=0))
    )

    assert [call["index"] for delta in told for call in delta["tool_calls"]] == [0, 0, 1, 1]
    assert [call.get("id") for delta in told for call in delta["tool_calls"]] == [
        "call_a",
        None,
        "call_b",
        None,
    ]


def test_an_id_that_is_known_begins_no_new_call() -> None:
    """Some number nothing and repeat the id in every part."""
    bare = {name: value for name, value in FIRST.items() if name != "index"}
    other = bare | {"id": "call_b"}
    again = [one | {"function": {"arguments": "}"}} for one in (other, bare)]

    parts = tool_calls(*map(calls, (bare, other, *again)))

    assert [part["index"] for part in parts] == [0, 1, 1, 0]
    assert [part.get("id") for part in parts] == ["call_a", "call_b", None, None]


@pytest.mark.parametrize("begun", [{}, {"name": None}, {"name": ""}], ids=str)
def test_a_name_that_comes_late_is_sent_once(begun: dict[str, Any]) -> None:
    head = FIRST | {"function": {**begun, "arguments": ""}}
    named = {"index": 0, "function": {"name": "get_weather", "arguments": "{"}}

    parts = tool_calls(*map(calls, (head, named, named)))

    assert [part["function"].get("name") or "" for part in parts] == ["", "get_weather", ""]


def test_a_name_that_comes_late_is_put_together_once() -> None:
    head = FIRST | {"function": {"name": None, "arguments": ""}}
    named = {"index": 0, "function": {"name": "get_weather", "arguments": "1"}}

    completion = collected([*map(calls, (head, named, named)), DONE])

    [call] = completion.document["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "get_weather", "arguments": "11"}
