"""Any stream of an upstream becomes a valid sequence of events, which says the same as a chat."""

from typing import Any, cast

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response

from llm_api.web.openai.responses.input.tool_names import ToolNames
from tests.upstream.streamed import DONE, collected, taken
from tests.web.dialects.drawn_answers import answers, batches_of
from tests.web.openai.responses.response_streams import (
    accumulated,
    events_in,
    response,
    stream_of,
    typed,
)

DRAWN = st.data()


def chat_of(chunks: list[bytes]) -> Any:
    """Return the message that the SDK's helper for chats makes of the chunks."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        # As the SDK does: a vendor's own `finish_reason` is not of the type.
        read = construct_type(type_=ChatCompletionChunk, value=orjson.loads(chunk))
        state.handle_chunk(cast("ChatCompletionChunk", read))
    return state.current_completion_snapshot.choices[0].message


def arguments_of(item: dict[str, Any]) -> str:
    """Return what the model wrote for a call, as far as a client is shown it."""
    text: str = item.get("arguments", item.get("input", ""))
    return text


def said(output: list[dict[str, Any]]) -> tuple[str, str, list[tuple[str, str]]]:
    """Return texts, refusals and calls of an output."""
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    calls = [item for item in output if item["type"].endswith("_call")]
    return (
        "".join(part.get("text", "") for part in parts),
        "".join(part.get("refusal", "") for part in parts),
        [(item["name"], arguments_of(item)) for item in calls],
    )


@settings(max_examples=60)
@given(DRAWN)
def test_a_stream_is_valid_and_says_what_the_chat_says(data: st.DataObject) -> None:
    chunks = taken(data.draw(answers()), shows_usage=True)

    events = events_in(stream_of(data.draw(batches_of(chunks))))

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    whole = accumulated(typed(events)).to_dict()
    message = chat_of(chunks)
    calls = [called(call.function) for call in message.tool_calls or ()]
    assert said(whole["output"]) == (message.content or "", message.refusal or "", calls)
    assert_whole(events)
    assert_told_in_pieces(events)


def called(function: Any) -> tuple[str, str]:
    """Return name and arguments of a chat's call as a response has them."""
    if function.name == "look":
        written = function.arguments or ""
        return function.name, "" if written == "{}" else ToolNames.custom_input(written)
    return function.name, function.arguments or "{}"


def assert_whole(events: list[dict[str, Any]]) -> None:
    """Hold every item to what its own events said, in their order."""
    last = events[-1]["response"]
    done = {e["output_index"]: e["item"] for e in events if e["type"].endswith("item.done")}
    added = [e for e in events if e["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == list(range(len(last["output"])))
    assert [done[index] for index in range(len(done))] == last["output"]
    assert [event["item"]["id"] for event in added] == [item["id"] for item in last["output"]]
    ids = {event["item"]["id"]: event["output_index"] for event in added}
    begun: set[str] = set()
    for event in events:
        if "item" in event:
            begun ^= {event["item"]["id"]}
        elif "item_id" in event:
            assert event["item_id"] in begun, event
            assert ids[event["item_id"]] == event["output_index"]
    assert not begun


def assert_told_in_pieces(events: list[dict[str, Any]]) -> None:
    """Hold the deltas of every text to the whole that ends it."""
    told: dict[tuple[str, object, str], str] = {}
    for event in events:
        kind, _, what = event["type"].rpartition(".")
        at = (event.get("item_id", ""), event.get("content_index", 0), kind)
        if what == "delta":
            told[at] = told.get(at, "") + event["delta"]
        elif what == "done" and not {"item", "part"} & event.keys():
            names = {"text", "refusal", "arguments", "input"} & event.keys()
            assert told.get(at, "") == event[names.pop()]


@settings(max_examples=60)
@given(DRAWN)
def test_a_whole_answer_is_the_response_that_a_stream_ends_with(data: st.DataObject) -> None:
    chunks = taken(data.draw(answers()), shows_usage=True)
    streamed = events_in(stream_of([chunks]))[-1]["response"]

    completion = collected([*chunks, DONE])
    whole = response().of_whole(completion.document, completion.usage)

    Response.model_validate(whole)
    assert said(whole["output"]) == said(streamed["output"])
    names = ["status", "incomplete_details", "model"]
    # Where nothing was counted, arguments that one form lacks would be estimated in the other.
    names += ["usage"] if b'"completion_tokens":2' in b"".join(chunks) else []
    assert [whole[name] for name in names] == [streamed[name] for name in names]
    assert orjson.loads(orjson.dumps(whole)) == whole
