"""Gives the end of an answer a reason that clients know: `finish_reason`.

A reason that OpenAI has no word for, such as DeepSeek's `insufficient_system_resource`, stays as it
is. One that speaks of an error is no reason but an error, see `embedded_errors`.
"""

import json
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
    """Return OpenAI's word for a reason, None for no reason, and any other as it is, as text.

    SGLang's is an object with the word in it. A number says that an answer ended, and not that it
    ended well: it is no `stop`.
    """
    reason = _word_of(reason)
    known = reason.strip().lower()
    # Gemini says more behind a colon: `content_filter: RECITATION`.
    known = known.split(":", 1)[0]
    # Enumerations are written with their own name: `FinishReason.STOP`, `FINISH_REASON_STOP`.
    known = known.rpartition(".")[2].removeprefix("finish_reason_").removeprefix("finishreason_")
    if known in _NONE:
        return None
    return known if known in REASONS else _MEANINGS.get(known, reason)


def _word_of(reason: object) -> str:
    """Return a reason as text, empty for none."""
    if isinstance(reason, str):
        return reason
    if isinstance(reason, list | dict):
        parts = reason.values() if isinstance(reason, dict) else reason
        return next((part for part in parts if isinstance(part, str)), "")
    return json.dumps(reason) if reason else ""


def settle_whole(choice: dict[str, Any]) -> bool:
    """Settle the reason of a choice that is whole, and return whether it was changed.

    Where there is none, agents find calls of tools by it.
    """
    given = choice.get("finish_reason")
    reason = settled(given)
    if reason is None or not isinstance(given, str):
        guess = _guessed(choice.get("message") or {})
        reason = guess if reason is None or guess != "stop" else reason
    choice["finish_reason"] = reason
    return bool(choice["finish_reason"] != given)


def _guessed(message: Mapping[str, Any]) -> str:
    calls = ("tool_calls", "function_call")
    return next((name for name in calls if message.get(name)), "stop")
