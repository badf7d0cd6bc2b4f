"""Upstreams' streams as hypothesis draws them: anything that `upstream/answers` lets through."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.upstream.streamed import DONE, USAGE, choice, counted, ended, event

REASONS = ("stop", "length", "tool_calls", "content_filter", "insufficient_system_resource", "eos")
TEXTS = st.text(max_size=6) | st.sampled_from(["猫", '"}\n', "\\", "\u2028", "event: x\n\n", ""])
_USAGES: Sequence[Mapping[str, Any]] = (
    USAGE,
    {**USAGE, "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 1}},
    {**USAGE, "completion_tokens_details": {"reasoning_tokens": 1}},
    {"input_tokens": 4, "output_tokens": 2, "cache_creation_input_tokens": 3},
    {"prompt_tokens": None, "completion_tokens": "2"},
)


def _said(name: str) -> st.SearchStrategy[bytes]:
    return TEXTS.map(lambda text: event(choice({name: text})))


def _call(index: int, **function: str) -> dict[str, Any]:
    return {"index": index, "function": function}


@st.composite
def _calls(draw: st.DrawFn) -> list[bytes]:
    """Draw the parts of calls, which follow each other or come in turns."""
    names = draw(st.lists(st.sampled_from(["draw", "look", "猫"]), min_size=1, max_size=3))
    arguments = [
        draw(st.sampled_from(["", "{}", '{"input":"x 猫"}', '{"a":"猫"}', '{"n": 1, "b": [2]}']))
        for _ in names
    ]
    begun = [
        event(choice({"tool_calls": [{"id": f"call_{i}", "type": "function", **_call(i, name=n)}]}))
        for i, n in enumerate(names)
    ]
    parts = [[a[at : at + 4] for at in range(0, len(a), 4)] for a in arguments]
    in_turns = [(i, p[at]) for at in range(8) for i, p in enumerate(parts) if at < len(p)]
    in_order = [(i, part) for i, p in enumerate(parts) for part in p]
    said = [
        event(choice({"tool_calls": [_call(i, arguments=part)]}))
        for i, part in draw(st.sampled_from([in_turns, in_order]))
    ]
    return begun + said


@st.composite
def answers(draw: st.DrawFn) -> list[bytes]:
    """Draw the events of a whole answer: thoughts, texts, refusals and calls, in any order."""
    # An upstream has one name for thoughts.
    names = ("content", draw(st.sampled_from(["reasoning_content", "reasoning"])), "refusal")
    text = st.one_of(*map(_said, names)).map(lambda one: [one])
    empty = st.sampled_from([event(), event(choice({"role": "assistant"})), event(choice({}))])
    parts = draw(st.lists(text | empty.map(lambda one: [one]), max_size=6))
    # A stream has one set of calls: a second one would say names of the first again.
    parts.insert(draw(st.integers(0, len(parts))), draw(st.just([]) | _calls()))
    usage = draw(st.none() | st.sampled_from(_USAGES))
    events = [one for part in parts for one in part]
    end = [ended(draw(st.sampled_from(REASONS)))]
    return [*events, *end, *([] if usage is None else [counted(usage)]), DONE]


@st.composite
def batches_of(draw: st.DrawFn, chunks: Sequence[bytes]) -> list[list[bytes]]:
    """Draw how chunks come together; an empty batch is a silence."""
    batches: list[list[bytes]] = []
    rest = list(chunks)
    while rest:
        size = draw(st.integers(1, 4))
        batches.append(rest[:size])
        rest = rest[size:]
        if draw(st.booleans()):
            batches.append([])
    return batches
