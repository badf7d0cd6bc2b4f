"""Writes a response that the upstream has made itself: its events are passed on as they came."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from llm_api.domain.calls import ModelRequest, TextLength
from llm_api.errors import ApiError
from llm_api.upstream.answers.responses.response_objects import texts_of
from llm_api.web.openai.responses.failures import PING, failure_events
from llm_api.web.openai.responses.response_events import KeepItems
from llm_api.web.openai.responses.response_object import estimated_usage
from llm_api.web.response.sse import End, KeepAlive

_EVENT = b"event: %b\ndata: %b\n\n"
_ENDS = frozenset(["response.completed", "response.incomplete"])


def with_usage(response: Mapping[str, Any], request: ModelRequest) -> Mapping[str, Any]:
    """Return a response to a `request` with all counts, estimated if the upstream has not counted.

    Clients add its counts up; one that is missing is null in the objects of OpenAI's SDK.
    """
    usage = response.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    taken, given, total = (counts.get(f"{name}_tokens") for name in ("input", "output", "total"))
    if type(taken) is not int or type(given) is not int:
        return {**response, "usage": _estimated(response, request)}
    if type(total) is int:
        return response
    return {**response, "usage": {**counts, "total_tokens": taken + given}}


def _estimated(response: Mapping[str, Any], request: ModelRequest) -> dict[str, Any]:
    length = TextLength()
    for item in response["output"]:
        for text in texts_of(item):
            length.add(text)
    return estimated_usage(length, request)


class PassedWriter:
    """Writes one streamed response whose events were checked where they came in."""

    def __init__(self, request: ModelRequest, keep: KeepItems | None = None) -> None:
        """Write the answer to a `request`; `keep` gets the items of one that is over."""
        self._request = request
        self._keep = keep
        self._response: dict[str, Any] = {}  # as it began
        self._items: list[dict[str, Any]] = []  # those that are whole
        self._number = -1  # of the last event
        self._last = b""

    def events(self, batch: Sequence[bytes]) -> bytes:
        """Write every event but the one that ends the response."""
        return b"".join(map(self._passed, batch))

    def _passed(self, event: bytes) -> bytes:
        document = orjson.loads(event)
        kind = document["type"]
        self._number = document["sequence_number"]
        if kind in _ENDS:
            response = with_usage(document["response"], self._request)
            self._items = response["output"]
            if response is not document["response"]:
                event = orjson.dumps({**document, "response": response})
            self._last = _EVENT % (kind.encode(), event)
            return b""
        if kind == "response.created":
            self._response = document["response"]
        elif kind == "response.output_item.done":
            self._items.append(document["item"])
        return _EVENT % (kind.encode(), event)

    def keep_alive(self) -> KeepAlive | None:
        """Write a comment."""
        return PING

    def end(self) -> End:
        """Write the event that ends the response."""
        if self._keep is not None:
            self._keep(self._items)
        return End(self._last)

    def error(self, error: ApiError, _request_id: str) -> bytes:
        """Write the events of a failure behind those that were passed on."""
        begun = {**self._response, "output": self._items}
        return failure_events(begun, error, self._number + 1)
