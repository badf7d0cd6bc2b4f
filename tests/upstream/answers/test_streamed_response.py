"""Streamed responses, whatever an upstream leaves out of their events or puts into them."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from llm_api.upstream.answers.responses.response_apart import events_of_response
from llm_api.upstream.answers.responses.response_objects import parse_response
from llm_api.upstream.answers.responses.streamed_response import StreamedResponse
from llm_api.upstream.faults import Fault
from tests.support import passed_responses as sent
from tests.upstream.asker import READER

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
REQUEST = {"model": "m", "input": "Hi"}
# What some upstreams leave out, by where it stands.
OF_EVENTS = ["sequence_number", "output_index", "content_index", "item_id", "logprobs"]
OF_ITEMS = ["id", "status", "content", "arguments", "summary", "role"]
OF_RESPONSES = [
    *("id", "object", "created_at", "model", "status", "error", "incomplete_details", "metadata"),
    *("output", "parallel_tool_calls", "tool_choice", "tools", "instructions", "text"),
]
TEXTS = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "id", "text"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def thought(text: str) -> dict[str, Any]:
    """Make a thought."""
    summary = [{"type": "summary_text", "text": text}]
    return {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAAA"}


def custom_call(text: str) -> dict[str, Any]:
    """Make a call of a custom tool."""
    return {
        "id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "patch",
        "input": text,
    }  # fmt: skip


def refused(text: str) -> dict[str, Any]:
    """Make a message that refuses."""
    return {**sent.message(), "content": [{"type": "refusal", "refusal": text}]}


ITEMS = st.one_of(
    st.lists(TEXTS, max_size=3).map(lambda texts: sent.message(*texts)),
    TEXTS.map(sent.function_call),
    TEXTS.map(thought),
    TEXTS.map(custom_call),
    TEXTS.map(refused),
)


@st.composite
def outputs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw items, each with an id of its own."""
    items = draw(st.lists(ITEMS, max_size=4))
    return [{**item, "id": f"{item['id']}{place}"} for place, item in enumerate(items)]


def events_of(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of a response with this output, as OpenAI would send them."""
    events = [orjson.loads(event) for event in events_of_response(sent.response(*output))]
    return sent.numbered(*events)


def taken(events: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield what is passed on for events; raises Fault."""
    answer = StreamedResponse(REQUEST, READER)
    for event in events:
        if (passed := answer.take(orjson.dumps(event))) is not None:
            yield orjson.loads(passed)
    answer.end()


def said(events: list[dict[str, Any]]) -> list[str]:
    """Return the pieces of texts, arguments and input in events."""
    return [event["delta"] for event in events if "delta" in event]


def leaner(document: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """Return an object without some of its fields."""
    return {name: value for name, value in document.items() if name not in names}


@given(outputs(), st.sets(st.sampled_from(OF_EVENTS)), st.sets(st.sampled_from(OF_RESPONSES)))
def test_what_is_left_out_is_put_there(
    output: list[dict[str, Any]], of_events: set[str], of_responses: set[str]
) -> None:
    whole = events_of(output)
    lean = [leaner(event, of_events) for event in whole]
    for event in lean:
        if "response" in event:
            event["response"] = leaner(event["response"], of_responses)

    passed = list(taken(lean))

    for event in passed:
        EVENTS.validate_python(event)
    assert [event["type"] for event in passed] == [event["type"] for event in whole]
    assert [event["sequence_number"] for event in passed] == list(range(len(whole)))
    assert said(passed) == said(whole)
    assert passed[-1]["response"]["output"] == output
    assert {event["response"]["id"] for event in passed if "response" in event} == {
        passed[0]["response"]["id"]
    }
    places = [(event["output_index"], event["item_id"]) for event in passed if "item_id" in event]
    assert places == [
        (event["output_index"], event["item_id"]) for event in whole if "item_id" in event
    ]


@given(outputs(), st.sets(st.sampled_from(OF_ITEMS)))
def test_an_item_has_one_id_from_first_to_last(
    output: list[dict[str, Any]], of_items: set[str]
) -> None:
    lean = [leaner(event, {"item_id"}) for event in events_of(output)]
    for event in lean:
        if "item" in event:
            event["item"] = leaner(event["item"], of_items)
    last = lean[-1]["response"]
    lean[-1]["response"] = {**last, "output": [leaner(one, of_items) for one in last["output"]]}

    passed = list(taken(lean))

    names: dict[int, set[str]] = {place: set() for place in range(len(output))}
    for event in passed:
        if "output_index" in event:
            names[event["output_index"]].add(event.get("item_id") or event["item"]["id"])
    for place, item in enumerate(passed[-1]["response"]["output"]):
        names[place].add(item["id"])
    assert [len(of_place) for of_place in names.values()] == [1] * len(output)


@given(outputs(), JSON, st.randoms())
def test_whatever_stands_in_an_event_nothing_but_a_fault_is_raised(
    output: list[dict[str, Any]], value: object, chance: random.Random
) -> None:
    events = events_of(output)
    place = chance.randrange(len(events))
    events[place] = changed(chance, events[place], value)

    try:
        passed = list(taken(events))
    except Fault:
        return

    numbers = [event["sequence_number"] for event in passed]
    assert numbers == sorted(set(numbers))


@given(outputs(), JSON, st.randoms())
def test_whatever_stands_in_an_answer_nothing_but_a_fault_is_raised(
    output: list[dict[str, Any]], value: object, chance: random.Random
) -> None:
    document = changed(chance, sent.response(*output), value)

    try:
        completion = parse_response(orjson.dumps(document), REQUEST, READER)
    except Fault:
        return

    assert orjson.loads(completion.body) == completion.document


def changed(chance: random.Random, document: Any, value: object) -> Any:
    """Return a document in which a value somewhere is another one."""
    places = [*document] if isinstance(document, dict) else [*range(len(document))]
    if not places:
        return value
    place = chance.choice(places)
    copy = document.copy()
    inner = copy[place]
    deeper = isinstance(inner, dict | list) and chance.random() < 0.7
    copy[place] = changed(chance, inner, value) if deeper else value
    return copy
