"""Turns a conversation of Anthropic's into chat messages that any upstream takes.

There, the system's text comes first and only there, turns of people and model alternate, and the
results of tools follow the calls at once, one message each, with texts alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from llm_api.domain.reminders import as_reminder
from llm_api.web.anthropic.shown_parts import Part, content_of, parts_of, text_of
from llm_api.web.anthropic.tool_functions import short_name

Message = dict[str, Any]
# Claude Code puts a line for Anthropic's accounts in front of its system text, another one in each
# request: no prefix would ever be found in an upstream's cache.
# https://github.com/vllm-project/vllm/pull/36829
_ACCOUNTING = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\n?")
_IN_NEXT_MESSAGE = "The result is in the next message."


def chat_messages(
    system: str | Sequence[Mapping[str, Any]] | None, messages: Sequence[Mapping[str, Any]]
) -> list[Message]:
    """Return a valid conversation as chat messages."""
    begun = next((i for i, one in enumerate(messages) if one["role"] != "system"), len(messages))
    before = [_without_accounting(part) for part in parts_of(system)]
    before += [part for one in messages[:begun] for part in parts_of(one["content"])]
    said = text_of([part for part in before if part["text"]])
    found: list[Message] = [{"role": "system", "content": said}] if said else []
    # Consecutive messages of one side are one turn, says Anthropic's reference.
    for is_models, turn in groupby(messages[begun:], lambda one: one["role"] == "assistant"):
        said_in_turn = list(turn)
        found += _of_model(said_in_turn) if is_models else _of_people(said_in_turn)
    return found or [{"role": "user", "content": ""}]


def left_out_blocks(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the types of blocks that no chat message can say, each once."""
    types = [
        block["type"]
        for message in messages
        if message["role"] == "assistant" and not isinstance(message["content"], str)
        for block in message["content"]
    ]
    return list(dict.fromkeys(one for one in types if one not in _SAID))


_SAID = ("text", "tool_use", "thinking", "redacted_thinking")


def _without_accounting(part: Part) -> Part:
    return {**part, "text": _ACCOUNTING.sub("", part["text"])}


def _of_model(turn: Sequence[Mapping[str, Any]]) -> Iterator[Message]:
    """Make one message of what the model has written in a turn."""
    blocks = [block for message in turn for block in _blocks(message)]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    thoughts = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    calls = [_call(block) for block in blocks if block["type"] == "tool_use"]
    yield {
        "role": "assistant",
        "content": text or (None if calls else ""),
        **({"reasoning_content": thoughts} if thoughts else {}),
        **({"tool_calls": calls} if calls else {}),
    }


def _blocks(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    arguments = orjson.dumps(block["input"]).decode()
    function = {"name": short_name(block["name"]), "arguments": arguments}
    return {"id": block["id"], "type": "function", "function": function}


def _of_people(turn: Sequence[Mapping[str, Any]]) -> Iterator[Message]:
    """Make messages of a turn: first the results of tools, whatever stands before them."""
    shown: list[Part] = []
    for message in turn:
        if message["role"] == "system":
            shown += _reminder(message)
            continue
        for block in _blocks(message):
            if block["type"] != "tool_result":
                shown += parts_of([block])
                continue
            result = parts_of(block.get("content"))
            others = [part for part in result if part["type"] != "text"]
            yield _result(block, text_of(result), has_others=bool(others))
            if others:
                label = f"The result of the tool call {block['tool_use_id']}:"
                shown += [{"type": "text", "text": label}, *others]
    if shown or not any(map(_has_result, turn)):
        yield {"role": "user", "content": content_of(shown)}


def _reminder(message: Mapping[str, Any]) -> list[Part]:
    """Keep a system's text in its place in a turn of people, in the marks that Claude Code uses.

    Templates of models refuse it in the middle under its own role, and in front of everything it
    would change the prefix that caches know. https://github.com/ollama/ollama/issues/17774
    """
    said = text_of(parts_of(message["content"]))
    return [{"type": "text", "text": as_reminder(said)}] if said else []


def _has_result(message: Mapping[str, Any]) -> bool:
    return any(block["type"] == "tool_result" for block in _blocks(message))


def _result(block: Mapping[str, Any], text: str, *, has_others: bool) -> Message:
    """Make the message of a tool's result; that it failed can only be said in words."""
    if not text and has_others:
        text = _IN_NEXT_MESSAGE
    if block.get("is_error") and not text.lower().startswith("error"):
        text = f"Error: {text}"
    return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": text}
