"""Settles the deltas of one choice of a stream: what may come once comes once, and is numbered."""

from collections.abc import Callable, Mapping
from typing import Any

from llm_api.upstream import faults

_FIRST_DELTA_ONLY = ("id", "type")


class ChoiceState:
    """What one choice of a stream has sent already."""

    def __init__(self) -> None:
        """Create the state of a choice without deltas."""
        self.has_finished = False
        self._has_role = False
        self._tools: dict[int, dict[str, Any]] = {}
        self._moved: dict[int, int] = {}  # from the upstream's number of a call to ours

    def settle(self, delta: dict[str, Any], count: Callable[[object], None]) -> bool:
        """Remove from a `delta` what may come once and came before; return whether that was any.

        `count` is given the texts of function calls.
        """
        if self._has_role:
            is_changed = "role" in delta
            delta.pop("role", None)
        else:
            is_changed = not delta.get("role")
            delta["role"] = delta.get("role") or "assistant"
        self._has_role = True
        if isinstance(function := delta.get("function_call"), dict):
            count(function.get("arguments"))
        for call in _tool_calls(delta):
            is_changed |= self._settle_tool_call(call)
            count((call.get("function") or {}).get("arguments"))
        return is_changed

    def _settle_tool_call(self, call: dict[str, Any]) -> bool:
        is_changed = call.get("index") is None
        if is_changed:
            call["index"] = self._guessed_index(call.get("id"))
        is_changed |= self._settle_index(call)
        function = call.get("function") or {}
        first = self._tools.get(call["index"])
        if first is None:
            self._tools[call["index"]] = {"id": call.get("id"), "name": function.get("name")}
            return is_changed
        for name in _FIRST_DELTA_ONLY:
            is_changed |= call.pop(name, None) is not None
        if not first["name"]:
            first["name"] = function.get("name")
        elif "name" in function and function["name"] in {first["name"], "", None}:
            del function["name"]  # SDKs would append it to the first
            is_changed = True
        return is_changed

    def _guessed_index(self, call_id: str | None) -> int:
        """Give a call a number where its upstream does not: an id that is new begins one."""
        known = [index for index, first in self._tools.items() if first["id"] == call_id]
        if call_id and known:
            return known[0]
        begins = bool(call_id) or not self._tools
        return len(self._tools) - (not begins)

    def _settle_index(self, call: dict[str, Any]) -> bool:
        """Give a call another number where the upstream gave its own to two."""
        given = call["index"]
        index = self._moved.get(given, given)
        first = self._tools.get(index)
        if first is not None and first["id"] and call.get("id") not in {first["id"], "", None}:
            index = self._moved[given] = max(self._tools) + 1
        call["index"] = index
        return bool(index != given)


def _tool_calls(delta: Mapping[str, Any]) -> list[dict[str, Any]]:
    calls = delta.get("tool_calls")
    if not calls:
        return []
    if not isinstance(calls, list) or not all(map(_is_tool_call, calls)):
        raise faults.bad_response("an event with malformed tool calls")
    return calls


def _is_tool_call(call: Any) -> bool:
    if not isinstance(call, dict) or not is_index(call.get("index")):
        return False
    function = call.get("function", {})
    return function is None or (
        isinstance(function, dict)
        and isinstance(call.get("id"), str | None)
        and isinstance(function.get("name"), str | None)
        and isinstance(function.get("arguments"), str | None)
    )


def is_index(value: object) -> bool:
    """Whether a value can number a choice or a call; null counts as left out."""
    return value is None or type(value) is int


def set_missing(part: dict[str, Any], name: str, value: Any) -> bool:
    """Set `name` in `part` if it is missing or null; return whether it was."""
    is_missing = part.get(name) is None
    if is_missing:
        part[name] = value
    return is_missing
