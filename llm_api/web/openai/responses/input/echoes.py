"""What an answer repeats of its request, as it was understood.

Source: `Response` of openai-python 3.54.0, whose clients read these fields, null where nothing was
said.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# Repeated as they came.
_AS_GIVEN = (
    *("instructions", "max_output_tokens", "max_tool_calls", "prompt_cache_key"),
    *("safety_identifier", "service_tier", "temperature", "top_logprobs", "top_p", "user"),
)


# Of a request that says nothing; nothing can be looked up later, and nothing is cut from the front
# of a conversation.
_UNSAID: Mapping[str, Any] = {
    **dict.fromkeys(_AS_GIVEN),
    "background": False,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "truncation": "disabled",
}
_SAID = frozenset([*_AS_GIVEN, "metadata", "parallel_tool_calls", "tool_choice"])


def echo_of(document: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of an answer that its request decides.

    Args:
        document: the request as it was checked, without null.
        tools: those that the model was told of.
    """
    said = {name: value for name, value in document.items() if name in _SAID}
    if (reasoning := document.get("reasoning")) is not None:
        said["reasoning"] = {name: reasoning.get(name) for name in ("effort", "summary")}
    if (text := document.get("text")) is not None:
        said["text"] = {"format": text.get("format") or {"type": "text"}}
        if (verbosity := text.get("verbosity")) is not None:
            said["text"]["verbosity"] = verbosity
    if tools:
        said["tools"] = list(tools)
    return {**_UNSAID, **said}
