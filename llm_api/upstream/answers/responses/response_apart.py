"""Takes a response that came in one piece apart into the events of a streamed one."""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_api.upstream.answers.completion import dumped

# What a part says, by its type, and the event that a piece of it comes in.
_PARTS = {
    "output_text": ("text", "response.output_text.delta"),
    "refusal": ("refusal", "response.refusal.delta"),
}
_CALLS = {
    "custom_tool_call": ("input", "response.custom_tool_call_input.delta"),
    "function_call": ("arguments", "response.function_call_arguments.delta"),
}


def events_of_response(response: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the events of a `response` that was checked; they have no numbers."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield dumped({"type": "response.created", "response": begun})
    for index, item in enumerate(response["output"]):
        yield from _events_of_item(index, item)
    kind = "incomplete" if response["status"] == "incomplete" else "completed"
    yield dumped({"type": f"response.{kind}", "response": response})


def _events_of_item(index: int, item: Mapping[str, Any]) -> Iterator[bytes]:
    place = {"output_index": index, "item_id": item["id"]}
    begun: dict[str, Any] = {**item, "status": "in_progress"}
    if item["type"] == "message":
        begun["content"] = []
    field, kind = _CALLS.get(item["type"], ("", ""))
    if field:
        begun[field] = ""
    yield dumped({"type": "response.output_item.added", "output_index": index, "item": begun})
    if item["type"] == "message":
        for number, part in enumerate(item["content"]):
            yield from _events_of_part({**place, "content_index": number}, part)
    if field:
        yield dumped({"type": kind, **place, "delta": item[field]})
    yield dumped({"type": "response.output_item.done", "output_index": index, "item": item})


def _events_of_part(place: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[bytes]:
    field, kind = _PARTS.get(str(part.get("type")), ("", ""))
    begun = {**part, field: ""} if field else part
    yield dumped({"type": "response.content_part.added", **place, "part": begun})
    if field:
        yield dumped({"type": kind, **place, "delta": part.get(field)})
    yield dumped({"type": "response.content_part.done", **place, "part": part})
