"""Puts the items of a conversation into the messages of a chat.

What a chat wants in another order is moved there: outputs of tools stand behind the message that
has the calls, and what a model thought is a field of the message that it wrote then.
"""

import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from llm_api.domain.reminders import FIRST, LAST, as_reminder
from llm_api.domain.safe_text import made_printable
from llm_api.errors import InvalidRequest
from llm_api.web.openai.responses.input.item_checks import kind_of
from llm_api.web.openai.responses.input.item_schemas import (
    CALL,
    COMPACTION,
    CUSTOM_CALL,
    CUSTOM_OUTPUT,
    LEFT_OUT,
    MESSAGE,
    MORE_TOOLS,
    OUTPUT,
    REASONING,
    TEXT_PARTS,
)
from llm_api.web.openai.responses.input.part_forms import Content, chat_content
from llm_api.web.openai.responses.input.tool_names import INPUT, ToolNames

# Between texts that stood in places of their own.
BREAK = "\n\n"
_SYSTEM = ("system", "developer")
_THOUGHTS = "reasoning_content"
_MAX_SHOWN = 64
# How pydantic-ai (2.68) sends what a model thought: as a message before the answer.
_as_thought = re.compile(r"\s*<think>(.*)</think>\s*", re.DOTALL).fullmatch

Item = Mapping[str, Any]
Message = dict[str, Any]


@dataclass(slots=True)
class Conversation:
    """The messages of a chat; see `ResponsesForm` and `ModelRequest` for the other fields."""

    messages: list[Message] = field(default_factory=list)
    lost: dict[str, None] = field(default_factory=dict)
    refusal: InvalidRequest | None = None
    has_files: bool = False
    has_thoughts: bool = False


def conversation_of(
    given: str | Sequence[Item], instructions: str | None, names: ToolNames
) -> Conversation:
    """Put `input` and `instructions` of a request into the form of a chat.

    Raises InvalidRequest for a call without an output, and for an output without a call.
    """
    system = [] if instructions is None else [{"role": "system", "content": instructions}]
    if isinstance(given, str):
        return Conversation([*system, {"role": "user", "content": given}])
    writer = _Writer(names, Conversation([*system]), _outputs(given))
    for index, item in enumerate(given):
        writer.add(item, index)
    return writer.end()


def more_tools(given: str | Sequence[Item]) -> list[Mapping[str, Any]]:
    """Return the tools that stand among the items."""
    items = () if isinstance(given, str) else given
    return [tool for item in items if kind_of(item) == MORE_TOOLS for tool in item["tools"]]


def _outputs(items: Sequence[Item]) -> Mapping[int, tuple[int, Item]]:
    """Return the output of each call, and its place, by the place of the call."""
    found: dict[int, tuple[int, Item]] = {}
    # Some servers give the calls of every turn the same ids.
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for index, item in enumerate(items):
        kind = kind_of(item)
        if kind in (CALL, CUSTOM_CALL):
            waiting[item["call_id"]].append(index)
        elif kind in (OUTPUT, CUSTOM_OUTPUT):
            if not waiting[item["call_id"]]:
                raise _unmatched(index, item, "belongs to no call; send the call in front of it.")
            found[waiting[item["call_id"]].popleft()] = index, item
    open_calls = sorted(place for places in waiting.values() for place in places)
    if open_calls:
        place = open_calls[0]
        message = f"has no output; send a {OUTPUT} with its call_id behind it."
        raise _unmatched(place, items[place], message)
    return found


def _unmatched(index: int, item: Item, message: str) -> InvalidRequest:
    call = made_printable(item["call_id"][:_MAX_SHOWN])
    field_name = f"input[{index}].call_id"
    return InvalidRequest.of_field(field_name, f"{call} {message}", reason="tool_call_unmatched")


class _Writer:
    """Writes the messages, item by item."""

    def __init__(
        self, names: ToolNames, begun: Conversation, outputs: Mapping[int, tuple[int, Item]]
    ) -> None:
        self._names, self._written, self._outputs = names, begun, outputs
        # What the assistant says, as long as nobody else says something.
        self._turn: Message | None = None
        self._answers: list[tuple[int, Item]] = []
        self._thoughts: list[str] = []

    def add(self, item: Item, index: int) -> None:
        """Add an item."""
        kind = kind_of(item)
        if kind == MESSAGE and item["role"] == "assistant":
            self._add_said(self._content(item["content"], f"input[{index}].content", between=""))
        elif kind == MESSAGE:
            self._add_message(item, f"input[{index}].content")
        elif kind in (CALL, CUSTOM_CALL):
            self._add_call(item, index)
        elif kind in (OUTPUT, CUSTOM_OUTPUT):
            self._end_turn()  # which has it
        elif kind == REASONING:
            self._thoughts.append(_thought(item))
        elif kind == COMPACTION:
            self._refuse_compaction(index)
        elif kind in LEFT_OUT:
            self._written.lost[f"input.{kind}"] = None

    def _add_message(self, item: Item, path: str) -> None:
        """Add what a user says, or whoever instructs the model.

        Every chat server knows the role `system`. The template of many a model refuses a second
        such message, so that what stands in front of the conversation is one; what comes later
        stays in its place, marked.
        """
        self._end_turn()
        self._thoughts.clear()
        is_system = item["role"] in _SYSTEM
        said = self._content(item["content"], path, between=BREAK if is_system else None)
        messages = self._written.messages
        if not is_system:
            messages.append({"role": item["role"], "content": said.content})
        elif not messages:
            messages.append({"role": "system", "content": said.content})
        elif len(messages) == 1 and _can_join(messages[0], said):
            messages[0]["content"] = f"{messages[0]['content']}{BREAK}{said.content}"
        else:
            messages.append({"role": "user", "content": _reminder(said.content)})

    def end(self) -> Conversation:
        """Return what has been written."""
        self._end_turn()
        return self._written

    def _content(self, parts: Any, path: str, *, between: str | None = None) -> Content:
        said = chat_content(parts, path, between=between)
        written = self._written
        written.has_files = written.has_files or said.has_files
        written.refusal = written.refusal or said.refusal
        return said

    def _add_said(self, said: Content) -> None:
        """Add a message of the assistant: beside its calls, where it has made some."""
        if isinstance(said.content, str) and (thought := _as_thought(said.content)):
            self._thoughts.append(thought[1].strip())
            return
        turn = self._turn
        if turn is None or "tool_calls" not in turn:
            turn = self._begin_turn()
        elif said.is_text and isinstance(turn["content"], str):
            turn["content"] = f"{turn['content']}{BREAK}{said.content}"
            return
        elif turn["content"] is not None:  # with pictures
            turn = self._begin_turn()
        turn["content"] = said.content

    def _add_call(self, item: Item, index: int) -> None:
        turn = self._turn or self._begin_turn()
        self._think()
        if item["type"] == CUSTOM_CALL:
            arguments = orjson.dumps({INPUT: item["input"]}).decode()
        else:
            arguments = item["arguments"]
        space = item.get("namespace")
        name = self._names.plain(item["name"], space if isinstance(space, str) else None)
        function = {"name": name, "arguments": arguments}
        call = {"id": item["call_id"], "type": "function", "function": function}
        turn.setdefault("tool_calls", []).append(call)
        self._answers.append(self._outputs[index])

    def _begin_turn(self) -> Message:
        self._end_turn()
        turn: Message = {"role": "assistant", "content": None}
        self._turn = turn
        self._think()
        self._written.messages.append(turn)
        return turn

    def _think(self) -> None:
        """Give the turn what was thought in front of it."""
        turn = self._turn or {}
        thoughts = [thought for thought in (turn.get(_THOUGHTS), *self._thoughts) if thought]
        self._thoughts.clear()
        if thoughts:
            turn[_THOUGHTS] = BREAK.join(thoughts)
            self._written.has_thoughts = True

    def _end_turn(self) -> None:
        """Write the outputs of the calls of the turn, and the pictures in them behind all."""
        self._turn = None
        pictures: list[dict[str, Any]] = []
        for index, item in self._answers:
            text, others = self._answer(item, f"input[{index}].output")
            message = {"role": "tool", "tool_call_id": item["call_id"], "content": text}
            self._written.messages.append(message)
            if others:
                about = f"From the output of {item['call_id']}:"
                pictures += [{"type": "text", "text": about}, *others]
        self._answers.clear()
        if pictures:
            self._written.messages.append({"role": "user", "content": pictures})

    def _answer(self, item: Item, path: str) -> tuple[str, list[dict[str, Any]]]:
        """Return the text of an output, and what else it has: a chat takes texts alone there."""
        said = self._content(item["output"], path, between="\n").content
        if isinstance(said, str):
            return said, []
        texts = [part["text"] for part in said if part["type"] == "text"]
        others = [part for part in said if part["type"] != "text"]
        if not others:
            return "\n".join(texts), []
        return "\n".join([*texts, "What else it has is in the next message."]), others

    def _refuse_compaction(self, index: int) -> None:
        message = (
            "is encrypted for OpenAI's models, and what it stands for cannot be read here; send the"
            " conversation itself."
        )
        refusal = InvalidRequest.of_field(f"input[{index}]", message, reason="not_supported")
        self._written.refusal = self._written.refusal or refusal


def _can_join(first: Message, said: Content) -> bool:
    return first["role"] == "system" and isinstance(first["content"], str) and said.is_text


def _reminder(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Mark what a system says in the middle of a conversation, as Claude Code does."""
    if isinstance(content, str):
        return as_reminder(content)
    return [{"type": "text", "text": FIRST}, *content, {"type": "text", "text": LAST}]


def _thought(item: Item) -> str:
    """Return what a model thought: as it did, or what was told of it; empty if it is encrypted."""
    for name in ("content", "summary"):
        parts = item.get(name)
        texts = [_text_in(part) for part in parts] if isinstance(parts, list) else []
        if thought := BREAK.join(text for text in texts if text):
            return thought
    return ""


def _text_in(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") in TEXT_PARTS else None
    return text if isinstance(text, str) else ""
