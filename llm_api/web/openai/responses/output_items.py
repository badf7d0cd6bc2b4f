"""The items of a response's output while they come in: messages, reasoning, and calls of tools.

Each tells the events of its own part of a stream, where anybody listens. They stand in the order
that all SDKs take: an item is added before its parts, a part before its texts, and all are done at
the end with the whole text once more. Source: the types of openai-python 3.54.0, and
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from llm_api.web.dialects.pieces import ToolBegun
from llm_api.web.openai.responses.input.tool_names import CUSTOM, ToolNames

Event = dict[str, Any]
# Gets the events as they come about; None where nobody does, as of an answer that comes whole.
Tell = Callable[[Event], None] | None
Logprobs = Sequence[dict[str, Any]]
COMPLETED, INCOMPLETE, IN_PROGRESS = "completed", "incomplete", "in_progress"
TEXT, REFUSAL = "output_text", "refusal"
_NO_ARGUMENTS = "{}"


class Item(Protocol):
    """An item of the output."""

    def begin(self) -> None:
        """Report what comes before any text."""

    def end(self, status: str) -> None:
        """Report what comes behind the last text, of an item that has ended with this status."""

    def document(self) -> dict[str, Any]:
        """Return the item as far as it has come."""


def _added(index: int, item: dict[str, Any]) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def _done(index: int, item: dict[str, Any]) -> Event:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


class _Part:
    """A text of a message, or a refusal."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.texts: list[str] = []
        self.logprobs: list[dict[str, Any]] = []

    def document(self) -> dict[str, Any]:
        text = "".join(self.texts)
        if self.kind == REFUSAL:
            return {"type": REFUSAL, "refusal": text}
        return {"type": TEXT, "text": text, "annotations": [], "logprobs": list(self.logprobs)}


class Message:
    """What the model says; it has a part for the text, and one for a refusal."""

    def __init__(self, token: str, index: int, tell: Tell) -> None:
        """Create a message without parts; the `token` is the response's."""
        self._tell = tell
        self._place = {"item_id": f"msg_{token}{index:02x}", "output_index": index}
        self._index = index
        self._status = IN_PROGRESS
        self._parts: list[_Part] = []

    def begin(self) -> None:
        """Report of the item alone: parts come with their texts."""
        if self._tell is not None:
            self._tell(_added(self._index, self.document()))

    def add(self, kind: str, text: str, logprobs: Logprobs = ()) -> None:
        """Add text, or a piece of a refusal; another kind than before begins a part."""
        if not self._parts or self._parts[-1].kind != kind:
            self._begin_part(kind)
        part = self._parts[-1]
        part.texts.append(text)
        part.logprobs.extend(logprobs)
        if text and self._tell is not None:
            said: Event = {"type": f"response.{kind}.delta", **self._at(), "delta": text}
            self._tell({**said, "logprobs": list(logprobs)} if kind == TEXT else said)

    def _begin_part(self, kind: str) -> None:
        if self._parts:
            self._end_part()
        self._parts.append(_Part(kind))
        if self._tell is not None:
            part = self._parts[-1].document()
            self._tell({"type": "response.content_part.added", **self._at(), "part": part})

    def _at(self) -> dict[str, Any]:
        return {**self._place, "content_index": len(self._parts) - 1}

    def _end_part(self) -> None:
        if self._tell is None:
            return
        part = self._parts[-1]
        whole = part.document()
        names = ("text", "logprobs", "refusal")
        said: Event = {name: whole[name] for name in names if name in whole}
        self._tell({"type": f"response.{part.kind}.done", **self._at(), **said})
        self._tell({"type": "response.content_part.done", **self._at(), "part": whole})

    def end(self, status: str) -> None:
        """Report what ends the last part and the item."""
        self._status = status
        self._end_part()
        if self._tell is not None:
            self._tell(_done(self._index, self.document()))

    def document(self) -> dict[str, Any]:
        """Return the message."""
        return {
            "id": self._place["item_id"],
            "type": "message",
            "status": self._status,
            "role": "assistant",
            "content": [part.document() for part in self._parts],
        }


class Reasoning:
    """What the model thinks: as it is, or, for a client that asked for one, as the summary."""

    def __init__(self, token: str, index: int, tell: Tell, *, is_summary: bool) -> None:
        """Create an item without thoughts; the `token` is the response's."""
        self._tell = tell
        self._place = {"item_id": f"rs_{token}{index:02x}", "output_index": index}
        self._index = index
        self._status = IN_PROGRESS
        self._texts: list[str] = []
        self._is_summary = is_summary
        self._at = {**self._place, ("summary_index" if is_summary else "content_index"): 0}
        self._name = "reasoning_summary_text" if is_summary else "reasoning_text"
        self._part_name = "reasoning_summary_part" if is_summary else "content_part"

    def begin(self) -> None:
        """Report of the item and of its one part."""
        if self._tell is not None:
            self._tell(_added(self._index, self.document()))
            part = self._part("")
            self._tell({"type": f"response.{self._part_name}.added", **self._at, "part": part})

    def add(self, text: str) -> None:
        """Add a piece of thought."""
        self._texts.append(text)
        if self._tell is not None:
            self._tell({"type": f"response.{self._name}.delta", **self._at, "delta": text})

    def _part(self, text: str) -> dict[str, Any]:
        return {"type": "summary_text" if self._is_summary else "reasoning_text", "text": text}

    def end(self, status: str) -> None:
        """Report what ends the part and the item."""
        self._status = status
        if self._tell is None:
            return
        text = "".join(self._texts)
        self._tell({"type": f"response.{self._name}.done", **self._at, "text": text})
        part = self._part(text)
        self._tell({"type": f"response.{self._part_name}.done", **self._at, "part": part})
        self._tell(_done(self._index, self.document()))

    def document(self) -> dict[str, Any]:
        """Return the item; its texts stand in `summary` or in `content`."""
        parts = [self._part("".join(self._texts))] if self._texts else []
        return {
            "id": self._place["item_id"],
            "type": "reasoning",
            "status": self._status,
            "summary": parts if self._is_summary else [],
            **({} if self._is_summary else {"content": parts}),
            "encrypted_content": None,
        }


class ToolCall:
    """A call of a function, or of a custom tool, whose input is read out of the arguments."""

    def __init__(
        self, token: str, index: int, tell: Tell, begun: ToolBegun, tools: ToolNames
    ) -> None:
        """Create a call without arguments; `tools` know what the client calls it."""
        self._tell = tell
        tool = tools.original(begun.name)
        self._is_custom = begun.is_custom or tool.kind == CUSTOM
        self._is_plain = begun.is_custom  # the upstream knows custom tools itself
        prefix = "ctc" if self._is_custom else "fc"
        self._place = {"item_id": f"{prefix}_{token}{index:02x}", "output_index": index}
        self._index = index
        self._status = IN_PROGRESS
        self._call_id = begun.id
        self._named = {"name": tool.name}
        if tool.namespace is not None:
            self._named["namespace"] = tool.namespace
        self._texts: list[str] = []

    def begin(self) -> None:
        """Report of the item."""
        if self._tell is not None:
            self._tell(_added(self._index, self._item("")))

    def add(self, text: str) -> None:
        """Add arguments; the input of a custom tool can be read when they are whole."""
        self._texts.append(text)
        if self._tell is not None and not self._is_custom:
            self._tell(self._delta(text))

    def _delta(self, text: str) -> Event:
        name = "custom_tool_call_input" if self._is_custom else "function_call_arguments"
        return {"type": f"response.{name}.delta", **self._place, "delta": text}

    def end(self, status: str) -> None:
        """Report what ends the arguments and the item."""
        self._status = status
        if self._tell is None:
            return
        text = self._whole()
        missing = text if self._is_custom else text.removeprefix("".join(self._texts))
        if missing:
            self._tell(self._delta(missing))
        if self._is_custom:
            said: Event = {"type": "response.custom_tool_call_input.done", "input": text}
        else:
            named = {"name": self._named["name"], "arguments": text}
            said = {"type": "response.function_call_arguments.done", **named}
        self._tell({**said, **self._place})
        self._tell(_done(self._index, self._item(text)))

    def _whole(self) -> str:
        text = "".join(self._texts)
        if self._is_plain:
            return text
        # A model that leaves the arguments out calls a function without any, whose JSON is {}.
        if self._is_custom:
            return "" if text.strip() == _NO_ARGUMENTS else ToolNames.custom_input(text)
        return text if text.strip() else text + _NO_ARGUMENTS

    def _item(self, text: str) -> dict[str, Any]:
        kind, field = "function_call", "arguments"
        if self._is_custom:
            kind, field = "custom_tool_call", "input"
        return {
            "id": self._place["item_id"],
            "type": kind,
            "status": self._status,
            "call_id": self._call_id,
            **self._named,
            field: text,
        }

    def document(self) -> dict[str, Any]:
        """Return the call."""
        return self._item(self._whole())
