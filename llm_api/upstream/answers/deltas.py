"""Settles the deltas of one choice of a stream: what may come once comes once, and is text.

Deltas that differ from an earlier one in their text alone are recognized by their bytes.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from llm_api.upstream.answers.completion import has_odd_texts
from llm_api.upstream.answers.content import settle_texts
from llm_api.upstream.answers.tool_calls import ToolCalls, settle_function

_FIELDS = ("content", "reasoning_content", "text")
_TEXTS = {name: re.compile(rb'"%b"\s*:\s*"' % name.encode()) for name in _FIELDS}
_TEXT_END = re.compile(rb'(?:[^"\\]|\\.)*"')


class ChoiceState:
    """What one choice of a stream has sent already."""

    def __init__(self) -> None:
        """Create the state of a choice without deltas."""
        self.has_finished = False
        self.finish_reason: str | None = None
        self._has_role = False
        self._tools: ToolCalls | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a delta has come."""
        return self._has_role

    def finish(self, reason: str) -> None:
        """Record that the choice has given the reason for its end."""
        self.has_finished = True
        self.finish_reason = reason

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


class KnownForm:
    """The bytes before and behind the text of an event that needed no correction.

    Any other text between them makes an event that needs none either.
    """

    __slots__ = ("_after", "_before", "_start")

    def __init__(self, before: bytes, after: bytes) -> None:
        """Know the bytes up to and from the quotes of the text, without and with these."""
        self._before = before + b'"'
        self._after = b'"' + after
        self._start = len(before)

    def text_in(self, event: bytes) -> str | None:
        """Return the text of an event in this form; None for one in another."""
        # An event that is named `error` has a class of its own.
        if type(event) is not bytes or not event.startswith(self._before):
            return None
        end = len(event) - len(self._after) + 1
        if end - self._start < len(b'""') or not event.endswith(self._after):
            return None
        try:
            # It checks that the bytes in between are one JSON string, and nothing beside it.
            text: str = orjson.loads(event[self._start : end])
        except orjson.JSONDecodeError:
            return None
        return text


def form_of(event: bytes, chunk: Mapping[str, Any]) -> KnownForm | None:
    """Return the form of an event that was passed on as it is; None where its text is not alone.

    `chunk` is what stands in it. It must say nothing but one text of one choice that has begun.
    """
    if not chunk.keys().isdisjoint(("error", "base_resp", "x_groq")) or chunk.get("usage"):
        return None
    choices = chunk["choices"]
    if len(choices) != 1 or choices[0].get("finish_reason") or "error" in choices[0]:
        return None
    delta = choices[0].get("delta")
    said = choices[0] if delta is None else delta
    name = "text" if delta is None else _only_text(delta)
    if name is None or not isinstance(said.get(name), str):
        return None
    return _cut_out(event, chunk, name, said[name])


def _only_text(delta: Mapping[str, Any]) -> str | None:
    """Return the name of the one thing that a delta says, if that is a text."""
    names = [name for name, value in delta.items() if value is not None]
    return names[0] if len(names) == 1 and names[0] in _FIELDS and "role" not in delta else None


def _cut_out(event: bytes, chunk: Mapping[str, Any], name: str, text: str) -> KnownForm | None:
    begun = _TEXTS[name].search(event)
    ended = None if begun is None else _TEXT_END.match(event, begun.end())
    if begun is None or ended is None:
        return None
    before, after = event[: begun.end() - 1], event[ended.end() :]
    # The proof that these bytes are the text: with another one between them, JSON has the same
    # chunk with that one.
    other = "b" if text == "a" else "a"
    choice = chunk["choices"][0]
    changed = {**choice, name: other} if name in choice else None
    if "delta" in choice:
        changed = {**choice, "delta": {**choice["delta"], name: other}}
    try:
        read = orjson.loads(b'%b"%b"%b' % (before, other.encode(), after))
    except orjson.JSONDecodeError:
        return None
    return KnownForm(before, after) if read == {**chunk, "choices": [changed]} else None
