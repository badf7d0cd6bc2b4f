"""Gives the end of an answer a reason that clients know: `finish_reason`.

A reason that OpenAI has no word for, such as DeepSeek's `insufficient_system_resource`, stays as it
is. One that speaks of an error is no reason but an error, see `embedded_errors`.
"""

from collections.abc import Mapping
from typing import Any

REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
_NONE = ("", "null", "none")
_OTHERS = {
    "stop": "end_turn eos eos_token end_of_text stop_sequence stop_string complete completed done"
    " finish finished end normal",
    "length": "max_tokens max_length max_output_tokens model_length token_limit context_length"
    " model_context_window_exceeded",
    "tool_calls": "tool_use tool_call tool",
    "content_filter": "safety content_filtered sensitive recitation blocklist prohibited_content"
    " spii image_safety image_prohibited_content image_recitation guardrail_intervened refusal",
}
_MEANINGS = {name: reason for reason, names in _OTHERS.items() for name in names.split()}


def settled(reason: object) -> object:
    """Return OpenAI's word for a reason, None for no reason, and any other as it is."""
    known = reason.strip().lower() if isinstance(reason, str) else ""
    # Gemini says more behind a colon: `content_filter: RECITATION`.
    known = known.split(":", 1)[0]
    if known in _NONE:
        return None
    return known if known in REASONS else _MEANINGS.get(known, reason)


def settle_whole(choice: dict[str, Any]) -> bool:
    """Settle the reason of a choice that is whole, and return whether it was changed.

    Where there is none, agents find calls of tools by it.
    """
    given = choice.get("finish_reason")
    choice["finish_reason"] = settled(given) or _guessed(choice.get("message") or {})
    return bool(choice["finish_reason"] != given)


def _guessed(message: Mapping[str, Any]) -> str:
    calls = ("tool_calls", "function_call")
    return next((name for name in calls if message.get(name)), "stop")
