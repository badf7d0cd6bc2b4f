"""Streams of responses, read as OpenAI's own types and helpers read them."""

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import openai.types.responses as types
import orjson
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState

from llm_api.domain.calls import ModelRequest
from llm_api.web.openai.responses.input.tool_names import ToolName, ToolNames
from llm_api.web.openai.responses.response_events import ResponseWriter
from llm_api.web.openai.responses.response_object import ResponseObject

# As of a request that says nothing but its input.
ECHO: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
}
REQUEST = ModelRequest("m", {"messages": [{"role": "user", "content": "Hi"}]})
TOOLS = ToolNames.of([ToolName("function", "draw"), ToolName("custom", "look")])
_UNION = typing.get_args(types.ResponseStreamEvent)[0]
_CLASSES = {
    typing.get_args(cls.model_fields["type"].annotation)[0]: cls for cls in typing.get_args(_UNION)
}


def response(**echo: Any) -> ResponseObject:
    """Begin the response to a request."""
    return ResponseObject(REQUEST, TOOLS, {**ECHO, **echo})


def stream_of(batches: Iterable[Sequence[bytes]], **echo: Any) -> bytes:
    """Return the stream that is written for batches of chunks, to its end."""
    writer = ResponseWriter(REQUEST, TOOLS, {**ECHO, **echo})
    written = [writer.events(batch) if batch else writer.keep_alive() or b"" for batch in batches]
    return b"".join([*written, writer.end()])


def events_in(stream: bytes) -> list[dict[str, Any]]:
    """Return the events of a stream; each is named as its data says, and nothing lies between."""
    events = []
    for block in stream.replace(b": ping\n", b"").split(b"\n\n")[:-1]:
        name, data = block.split(b"\n")
        event = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        events.append(event)
    return events


def typed(events: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return events as the SDK's types, strictly: no field may be missing or of another type."""
    return [_CLASSES[event["type"]].model_validate(event) for event in events]


def accumulated(events: Iterable[Any]) -> types.ParsedResponse[Any] | types.Response:
    """Return the response that the SDK's helper makes of typed events."""
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    last = [shown for event in events for shown in state.handle_event(event)][-1]
    whole: types.Response = last.response
    return whole
