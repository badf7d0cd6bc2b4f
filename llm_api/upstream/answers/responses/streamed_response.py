"""Checks the events of a streamed response, and completes them where a client would miss something.

https://platform.openai.com/docs/api-reference/responses-streaming has the events. What is whole is
passed on byte by byte. A failure is never passed on: it has the vendor's words, and before the
model has said anything another upstream can answer.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from llm_api.domain.calls import Completion, Operation, TextLength, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.chunks import DONE, NOTHING, error_document
from llm_api.upstream.answers.completion import dumped, parse_object
from llm_api.upstream.answers.embedded_errors import find_error
from llm_api.upstream.answers.responses.response_apart import events_of_response
from llm_api.upstream.answers.responses.response_failures import (
    raise_failure_of_event,
    raise_failure_of_response,
)
from llm_api.upstream.answers.responses.response_objects import (
    parse_response,
    settle_response,
    texts_of,
    usage_of,
)
from llm_api.upstream.answers.responses.response_places import ResponsePlaces, set_field
from llm_api.upstream.http.sse import ErrorEvent
from llm_api.upstream.vendors.errors import ErrorClassifier

_CREATED = "response.created"
# Before the model says anything.
_HEADS = frozenset([_CREATED, "response.in_progress", "response.queued"])
_ENDS = {"response.completed": "completed", "response.incomplete": "incomplete"}
_FAILED = "response.failed"
_ITEM_ADDED, _ITEM_DONE = "response.output_item.added", "response.output_item.done"
_WITH_RESPONSE = _HEADS.union(_ENDS, [_FAILED])
# Of these, `audio` is about no item.
_OF_A_PART = re.compile(r"response\.(?!audio\.)\w+\.(?:delta|done|added)")


class StreamedResponse:
    """The state of a streamed response while its events come in."""

    def __init__(
        self,
        request: Mapping[str, Any],
        classifier: ErrorClassifier,
        max_tokens: int | None = None,
    ) -> None:
        """Create the state of a response to a `request`, without events.

        `classifier` reads errors that come as events; `max_tokens` is the most tokens that the
        model can write, None if nothing limits it.
        """
        self.operation = Operation.RESPONSES
        self.classifier = classifier
        self.is_over = False
        self.has_finished = False
        self.has_begun = False  # the model has said something
        self.length = TextLength()
        self._request = request
        self._max_tokens = max_tokens
        self._places = ResponsePlaces()
        self._usage = TokenUsage()
        self._spoken: set[int] = set()  # the items whose text was counted as it came
        self._number = -1  # of the last event
        self._name = ""  # the response's id
        self._last: dict[str, Any] | None = None  # the response, at its end

    def take(self, event: bytes) -> bytes | None:
        """Return the event to pass on, None where it says nothing; raises faults.Fault."""
        document = self._read(event)
        if document is None:
            return None
        is_changed = self._settle(document)
        return dumped(document) if is_changed or b"\n" in event else event

    def end(self) -> list[bytes]:
        """Raise faults.Fault if the response is not whole; there is nothing left to pass on."""
        if not self._name:
            raise faults.bad_response("an empty stream")
        if not self.is_complete:
            raise faults.truncated()
        return []

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the response is missing."""
        return self.has_finished

    @property
    def document(self) -> Mapping[str, Any]:
        """The response so far: its id, and all of it at its end."""
        return self._last or {"id": self._name}

    @property
    def usage(self) -> TokenUsage:
        """The usage so far; it comes at the end."""
        return self._usage

    def take_whole(self, body: bytes) -> list[bytes]:
        """Return the events to pass on for a response in one piece; raises faults.Fault."""
        whole = parse_response(body, self._request, self.classifier, self._max_tokens)
        events = (self.take(event) for event in events_of_response(whole.document))
        return [event for event in events if event is not None]

    def collect(self, events: Iterable[bytes]) -> Completion:
        """Return the whole response that events end with; raises faults.Fault."""
        for event in events:
            self.take(event)
            if self.is_over:
                break
        self.end()
        document = self._last or {}
        body = dumped(document)
        return Completion(document, body, self._usage, operation=self.operation)

    def _read(self, event: bytes) -> dict[str, Any] | None:
        """Return an event of a response, None for a sign of life; raises faults.Fault."""
        if event.strip() == DONE:
            self.is_over = True
            return None
        if type(event) is ErrorEvent:
            raise_failure_of_event(error_document(event), self.classifier)
        if event[:1] != b"{" and NOTHING.fullmatch(event.strip().lower()):
            return None
        document = parse_object(event, "an event", self.classifier)
        kind = document.get("type")
        if isinstance(kind, str) and kind.startswith("response."):
            return document
        if kind == "error" or find_error(document, is_whole=False) is not None:
            raise_failure_of_event(document, self.classifier)
        return None

    def _settle(self, event: dict[str, Any]) -> bool:
        """Complete an event; return whether anything was missing."""
        kind = event["type"]
        is_changed = False
        if not self._name and kind not in _HEADS and kind != _FAILED:
            raise faults.bad_response(f"a stream that does not begin with {_CREATED}")
        if kind in _WITH_RESPONSE:
            is_changed = self._settle_response(event, kind)
        elif kind in {_ITEM_ADDED, _ITEM_DONE}:
            is_changed = self._places.settle_item(event, is_end=kind == _ITEM_DONE)
            if kind == _ITEM_DONE and event["output_index"] not in self._spoken:
                self._count(texts_of(event["item"]))
        elif _is_placed(event, kind):
            is_changed = self._places.settle_part(event, kind)
            if isinstance(event.get("delta"), str):
                self._spoken.add(event["output_index"])
                self._count([event["delta"]])
        self.has_begun |= kind not in _HEADS
        return is_changed | self._settle_number(event)

    def _settle_response(self, event: dict[str, Any], kind: str) -> bool:
        """Complete an event with the response; return whether anything was missing."""
        response = event.get("response")
        if not isinstance(response, dict):
            raise faults.bad_response("an event without its response")
        if kind == _FAILED:
            response["status"] = "failed"
        raise_failure_of_response(response, self.classifier)
        is_changed = False
        if not self._name:
            is_changed = set_field(event, "type", _CREATED)
        elif response.get("id") != self._name:
            is_changed = set_field(response, "id", self._name)
        if kind in _ENDS:
            is_changed |= set_field(response, "status", _ENDS[kind])
        is_changed |= settle_response(response, self._request, "in_progress")
        self._name = response["id"]
        if kind in _ENDS:
            is_changed |= self._places.settle_output(response)
            self._usage = usage_of(response, self._max_tokens)
            self._last = response
            self.is_over = self.has_finished = True
        return is_changed

    def _settle_number(self, event: dict[str, Any]) -> bool:
        """Give an event a number behind the last one's; return whether it had none."""
        number = event.get("sequence_number")
        if type(number) is int and number > self._number:
            self._number = number
            return False
        self._number += 1
        event["sequence_number"] = self._number
        return True

    def _count(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.length.add(text)


def _is_placed(event: Mapping[str, Any], kind: str) -> bool:
    """Whether an event is about an item, or a part of it."""
    return "item_id" in event or _OF_A_PART.fullmatch(kind) is not None
