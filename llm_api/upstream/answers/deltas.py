"""Settles the deltas of one choice of a stream: what may come once comes once, and is text."""

from collections.abc import Callable
from typing import Any

from llm_api.upstream.answers.completion import has_odd_texts
from llm_api.upstream.answers.content import settle_texts
from llm_api.upstream.answers.tool_calls import ToolCalls, settle_function


class ChoiceState:
    """What one choice of a stream has sent already."""

    def __init__(self) -> None:
        """Create the state of a choice without deltas."""
        self.has_finished = False
        self._has_role = False
        self._tools: ToolCalls | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a delta has come."""
        return self._has_role

    def finish(self) -> None:
        """Record that the choice has given the reason for its end."""
        self.has_finished = True

    def settle(self, delta: dict[str, Any], count: Callable[[object], None]) -> bool:
        """Bring a `delta` into OpenAI's form; return whether it was changed.

        `count` is given the texts of function calls. Raises faults.Fault.
        """
        if self._has_role:
            is_changed = "role" in delta
            delta.pop("role", None)
        else:
            is_changed = not delta.get("role")
            delta["role"] = delta.get("role") or "assistant"
        self._has_role = True
        if has_odd_texts(delta):
            is_changed |= settle_texts(delta)
        if isinstance(function := delta.get("function_call"), dict):
            is_changed |= settle_function(delta)
            count(function.get("arguments"))
        if parts := delta.get("tool_calls"):
            if isinstance(parts, dict) and "function" in parts:
                parts = delta["tool_calls"] = [parts]
                is_changed = True
            self._tools = self._tools or ToolCalls()
            is_changed |= self._tools.settle(parts)
            for part in parts:
                count((part.get("function") or {}).get("arguments"))
        return is_changed


def is_index(value: object) -> bool:
    """Whether a value can number a choice; null counts as left out."""
    return value is None or type(value) is int


def set_missing(part: dict[str, Any], name: str, value: Any) -> bool:
    """Set `name` in `part` if it is missing or null; return whether it was."""
    is_missing = part.get(name) is None
    if is_missing:
        part[name] = value
    return is_missing
