"""Responses and their events, as an upstream sends them that has the Responses API itself.

Their forms are those of https://platform.openai.com/docs/api-reference/responses-streaming.
"""

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from tests.support import replies
from tests.support.replies import Ending, Event, Reply

USAGE: Mapping[str, Any] = MappingProxyType(
    {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
)
MESSAGE = "msg_1"
HEADS = 2  # events of `text_events` before the model says something


def response(*output: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Make a whole response, of which more fields change some."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "scripted",
        "output": list(output),
        "parallel_tool_calls": True,
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": dict(USAGE),
        **fields,
    }


def message(*texts: str, name: str = MESSAGE, status: str = "completed") -> dict[str, Any]:
    """Make a message of the model's, a part for each text."""
    parts = [_part(text) for text in texts]
    return {
        "id": name, "type": "message", "status": status, "role": "assistant", "content": parts
    }  # fmt: skip


def function_call(arguments: str, name: str = "fc_1", **fields: Any) -> dict[str, Any]:
    """Make a call of a function."""
    return {
        "id": name,
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "look",
        "arguments": arguments,
        **fields,
    }


def reply(*output: Mapping[str, Any], **fields: Any) -> Reply:
    """Answer with a response in one piece."""
    return replies.json_reply(200, response(*output, **fields))


def text_events(*pieces: str) -> list[dict[str, Any]]:
    """Make the events of a response that is a text in pieces, as OpenAI sends them."""
    begun = response(status="in_progress", usage=None)
    place = {"item_id": MESSAGE, "output_index": 0, "content_index": 0}
    whole = "".join(pieces)
    return numbered(
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": message(status="in_progress"),
        },
        {"type": "response.content_part.added", **place, "part": _part("")},
        *(
            {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            for piece in pieces
        ),
        {"type": "response.output_text.done", **place, "text": whole, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": _part(whole)},
        {"type": "response.output_item.done", "output_index": 0, "item": message(whole)},
        {"type": "response.completed", "response": response(message(whole))},
    )


def numbered(*events: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give events the numbers of their places."""
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def stream(
    events: Iterable[Event | Mapping[str, Any]],
    *,
    ending: Ending = "complete",
    silence_s: float = 0.0,
) -> Reply:
    """Stream events with their names; a text or bytes are sent as `replies.sse` does."""
    named = map(_named, events)
    return replies.sse(named, done=False, ending=ending, silence_s=silence_s)


def written(event: Mapping[str, Any]) -> bytes:
    """Write an event as it is sent, without its name."""
    return json.dumps(event).encode()


def _named(event: Event | Mapping[str, Any]) -> Event:
    if not isinstance(event, Mapping):
        return event
    return b"event: %b\ndata: %b\n\n" % (str(event.get("type")).encode(), written(event))


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
