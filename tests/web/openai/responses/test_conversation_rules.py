"""Whatever the order of items, the chat that they become keeps the rules, and every word."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_api.web.openai.messages import OpenAIMessagesField
from llm_api.web.openai.responses.input.conversation import conversation_of
from llm_api.web.openai.responses.input.item_checks import problem_in_item
from llm_api.web.openai.responses.input.tool_names import ToolNames

_KINDS = st.sampled_from(
    ["user", "assistant", "system", "developer", "thought", "call", "custom", "output", "picture"]
)
_PNG = "data:image/png;base64,iVBORw0KGgo="


def items_of(kinds: Iterable[str], ids: Iterable[int]) -> list[dict[str, Any]]:
    """Make items of kinds, each with a word of its own; every call gets an output at some time."""
    words, free = (f"<{number}>" for number in count()), iter(ids)
    items: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for kind in kinds:
        word = next(words)
        if kind in ("call", "custom"):
            what = {"name": f"tool_{kind}", "call_id": f"call_{next(free)}"}
            call = {"type": "function_call", "arguments": word, **what}
            items.append(
                call if kind == "call" else {**call, "type": "custom_tool_call", "input": word}
            )
            waiting.append(items[-1])
        elif kind in ("output", "picture"):
            if waiting:
                items.append(output_of(waiting.pop(), word, has_picture=kind == "picture"))
        elif kind == "thought":
            summary = [{"type": "summary_text", "text": word}]
            items.append({"type": "reasoning", "id": "rs", "summary": summary})
        else:
            items.append({"role": kind, "content": word})
    left = [output_of(call, next(words)) for call in reversed(waiting)]
    return [*items, *left, {"role": "user", "content": next(words)}]


def output_of(call: dict[str, Any], word: str, *, has_picture: bool = False) -> dict[str, Any]:
    """Make the output of a call."""
    text = {"type": "input_text", "text": word}
    parts = [text, {"type": "input_image", "image_url": _PNG}] if has_picture else word
    kind = f"{call['type']}_output"
    return {"type": kind, "call_id": call["call_id"], "output": parts}


def words_in(value: Any) -> list[str]:
    """Find the words that stand in something, each as often as it does."""
    text = str(value)
    return [f"<{part.partition('>')[0]}>" for part in text.split("<")[1:]]


def broken_rules(messages: list[dict[str, Any]]) -> list[str]:
    """Return which rules of chats a conversation breaks."""
    waiting: list[str] = []
    broken = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                broken.append("an output without a call in front of it")
            else:
                waiting.remove(message["tool_call_id"])
        elif waiting:
            broken.append("something between a call and its output")
        waiting += [call["id"] for call in message.get("tool_calls", ())]
    systems = [number for number, one in enumerate(messages) if one["role"] == "system"]
    if systems not in ([], [0]):
        broken.append("a system message in the middle")
    return broken + (["a call without output"] if waiting else [])


@settings(max_examples=200)
@given(st.lists(_KINDS, max_size=20), st.lists(st.integers(0, 3), min_size=20, max_size=20))
def test_every_conversation_becomes_a_chat_by_the_rules(kinds: list[str], ids: list[int]) -> None:
    items = items_of(kinds, ids)

    talk = conversation_of(items, None, ToolNames())

    assert [item for item in items if problem_in_item(item)] == []
    OpenAIMessagesField().deserialize(talk.messages)
    assert broken_rules(talk.messages) == []
    lost = set(words_in(items)) - set(words_in(talk.messages))
    # What was thought last has no message to stand beside.
    thoughts = {words_in(item)[0] for item in items if item.get("type") == "reasoning"}
    assert lost <= thoughts
