"""Checks the events of a streamed answer and brings them into the form that every SDK takes.

What is already in that form is passed on byte by byte. The rules are those of the official SDKs:
the same `id` and `model` in every chunk, `role` and a tool call's name in the first delta only, an
`index` in every tool call's delta, the usage in a chunk of its own at the end, no `error` key.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from llm_api.domain.calls import Operation, TextLength, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.completion import (
    ID_PREFIXES,
    dumped,
    parse_object,
    parse_usage,
    raise_embedded_error,
)
from llm_api.upstream.answers.deltas import ChoiceState, is_index, set_missing
from llm_api.upstream.vendors.errors import PLAIN, ErrorClassifier

_DONE = b"[DONE]"
_OBJECTS = {Operation.CHAT: "chat.completion.chunk", Operation.TEXT: "text_completion"}


class StreamedAnswer:
    """The state of a streamed answer while its events come in."""

    def __init__(
        self,
        operation: Operation = Operation.CHAT,
        *,
        model: str = "",
        shows_usage: bool = False,
        classifier: ErrorClassifier = PLAIN,
        max_tokens: int | None = None,
    ) -> None:
        """Create the state of an answer without events.

        Args:
            operation: what was asked for; decides the form of the chunks.
            model: named in the chunks of an upstream that names none.
            shows_usage: whether the caller asked for the usage chunk.
            classifier: reads errors that come as events.
            max_tokens: the most tokens that the model can write, None if nothing limits it.
        """
        self.is_done = False
        self.usage = TokenUsage()
        self.length = TextLength()  # of what the model wrote; kept texts would fill the memory
        self.operation = operation
        self.classifier = classifier
        self._max_tokens = max_tokens
        self._model = model
        self._shows_usage = shows_usage
        self._head: dict[str, Any] = {}
        self._usage_chunk: dict[str, Any] = {}
        self._choices: dict[int, ChoiceState] = {}

    def take(self, event: bytes) -> bytes | None:
        """Return the chunk to pass on for an event, None where it is kept back.

        Raises faults.Fault.
        """
        chunk, is_changed = self.read(event)
        if chunk is None:
            return None
        return dumped(chunk) if is_changed or b"\n" in event else event

    def read(self, event: bytes) -> tuple[dict[str, Any] | None, bool]:
        """Return the chunk to pass on, as `take` does, and whether it differs from the event."""
        if event.strip() == _DONE:
            self.is_done = True
            return None, False
        chunk = parse_object(event, "an event")
        raise_embedded_error(chunk, self.classifier)
        is_changed = self._settle(chunk)
        if usage := chunk.get("usage"):
            self.usage = parse_usage(usage, self._max_tokens)
            if isinstance(usage, dict):
                self._usage_chunk = chunk | {"choices": []}
            if not chunk["choices"]:
                return None, False  # it is shown at the end, to a caller who asked
            chunk["usage"] = None
            is_changed = True
        return chunk, is_changed

    def _settle(self, chunk: dict[str, Any]) -> bool:
        is_changed = chunk.pop("error", self) is not self  # null, but SDKs look for the key alone
        is_changed |= self._settle_head(chunk)
        if chunk.get("choices") is None:
            chunk["choices"] = []
            is_changed = True
        if not isinstance(chunk["choices"], list):
            raise faults.bad_response("an event without choices")
        for choice in chunk["choices"]:
            is_changed |= self._settle_choice(choice)
        return is_changed

    def _settle_head(self, chunk: dict[str, Any]) -> bool:
        head = self._head
        if not head:
            prefix = ID_PREFIXES[self.operation]
            head["id"] = chunk.get("id") or f"{prefix}{secrets.token_hex(12)}"
            head["object"] = _OBJECTS[self.operation]
            created = chunk.get("created")
            head["created"] = created if type(created) is int else int(time.time())
            head["model"] = ""
        # Azure's first chunk, which is about filters, has no model.
        head["model"] = head["model"] or chunk.get("model") or self._model
        is_changed = False
        for name, value in head.items():
            if chunk.get(name) != value:
                chunk[name] = value
                is_changed = True
        return is_changed

    def _settle_choice(self, choice: Any) -> bool:
        if not isinstance(choice, dict) or not is_index(choice.get("index")):
            raise faults.bad_response("an event with a malformed choice")
        is_changed = set_missing(choice, "index", 0)
        state = self._choices.setdefault(choice["index"], ChoiceState())
        state.has_finished |= bool(choice.get("finish_reason"))
        if self.operation is Operation.TEXT:
            is_changed |= set_missing(choice, "text", "")
            if not isinstance(choice["text"], str):
                raise faults.bad_response("an event whose text is none")
            self._count(choice["text"])
            return is_changed
        if not isinstance(choice.get("delta"), dict):
            choice["delta"] = {}
            is_changed = True
        delta = choice["delta"]
        for name in ("content", "reasoning_content", "refusal"):
            self._count(delta.get(name))
        return state.settle(delta, self._count) | is_changed

    def _count(self, text: object) -> None:
        if text and isinstance(text, str):
            self.length.add(text)

    def end(self) -> list[bytes]:
        """Return what is left to pass on when no more events come; raises faults.Fault."""
        self.check_complete()
        return [dumped(self._usage_chunk)] if self._shows_usage and self._usage_chunk else []

    def check_complete(self) -> None:
        """Raise faults.Fault if the events ended before the answer did."""
        if not self._head:
            raise faults.bad_response("an empty stream")
        if not self.is_done and not self.has_finished:
            raise faults.truncated()

    @property
    def has_finished(self) -> bool:
        """Whether every choice has given the reason why it ended."""
        choices = self._choices.values()
        return bool(choices) and all(choice.has_finished for choice in choices)

    @property
    def has_begun(self) -> bool:
        """Whether a chunk has come."""
        return bool(self._head)

    @property
    def raw_usage(self) -> Any:
        """The usage as the upstream sent it, None where it sent none."""
        return self._usage_chunk.get("usage")


def events_of(document: Mapping[str, Any], operation: Operation) -> Iterator[bytes]:
    """Return the events of a streamed answer for a `document` that came in one piece."""
    head = {name: document.get(name) for name in ("id", "created", "model", "system_fingerprint")}
    head = {name: value for name, value in head.items() if value is not None}
    choices = [dict(choice) for choice in document["choices"]]
    reasons = [choice.pop("finish_reason", None) or _reason(choice) for choice in choices]
    for position, choice in enumerate(choices):
        set_missing(choice, "index", position)
        if operation is Operation.CHAT:
            choice["delta"] = _delta(choice.pop("message"))
    yield dumped(head | {"choices": [c | {"finish_reason": None} for c in choices]})
    nothing: dict[str, Any] = {"delta": {}} if operation is Operation.CHAT else {"text": ""}
    ends = [
        {"index": choice["index"], **nothing, "finish_reason": reason}
        for choice, reason in zip(choices, reasons, strict=True)
    ]
    yield dumped(head | {"choices": ends})
    if document.get("usage"):
        yield dumped(head | {"choices": [], "usage": document["usage"]})
    yield _DONE


def _reason(choice: Mapping[str, Any]) -> str:
    """Return the finish reason that the upstream left out; agents find tool calls by it."""
    return "tool_calls" if choice.get("message", {}).get("tool_calls") else "stop"


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    delta = {"role": "assistant", **message}
    if delta.get("tool_calls"):
        delta["tool_calls"] = [
            {"index": index, **call} for index, call in enumerate(delta["tool_calls"])
        ]
    return delta
