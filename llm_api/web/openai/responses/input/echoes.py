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


def echo_of(document: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of an answer that its request decides.

    Args:
        document: the request as it was checked, without null.
        tools: those that the model was told of.
    """
    reasoning = document.get("reasoning") or {}
    text = document.get("text") or {}
    verbosity = text.get("verbosity")
    return {
        **{name: document.get(name) for name in _AS_GIVEN},
        "background": False,
        "metadata": document.get("metadata") or {},
        "parallel_tool_calls": document.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {name: reasoning.get(name) for name in ("effort", "summary")},
        # Nothing can be looked up later, and nothing is cut from the front of a conversation.
        "store": False,
        "text": {
            "format": text.get("format") or {"type": "text"},
            **({} if verbosity is None else {"verbosity": verbosity}),
        },
        "tool_choice": document.get("tool_choice", "auto"),
        "tools": list(tools),
        "truncation": "disabled",
    }
