"""Brings tool calls into the form that every SDK takes, whole or as they come in.

Accumulators of SDKs take the index for a position, append names and arguments of one index, and
keep the first id; a tool's answer names its call by the id. Vendors differ in all of these: Ollama
and Gemini number every call 0, others begin at 1, leave the id out or change it on the way, and
MiniMax sends arguments as an object.
"""

import secrets
from collections.abc import Mapping
from typing import Any, TypeGuard

import orjson

from llm_api.upstream import faults
from llm_api.upstream.answers.content import written

_MALFORMED = "an event with malformed tool calls"
# Of arguments whose end is looked for; longer ones are taken to go on.
_MAX_KEPT = 4 << 20
_OPENING, _CLOSING = frozenset("{["), frozenset("}]")


def settle_whole(message: dict[str, Any]) -> bool:
    """Settle the calls of a `message` that is whole; return whether anything was changed.

    Raises faults.Fault.
    """
    is_changed = _settle_arguments(message.get("function_call"), "{}")
    calls = message.get("tool_calls")
    if not calls:
        return is_changed
    if isinstance(calls, dict) and "function" in calls:
        calls = message["tool_calls"] = [calls]
        is_changed = True
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise faults.bad_response("a message with malformed tool calls")
    known: set[str] = set()
    for call in calls:
        is_changed |= _settle_form(call, "{}") | _settle_type(call) | _settle_id(call, known)
    return is_changed


def settle_function(delta: Mapping[str, Any]) -> bool:
    """Settle the `function_call` of a delta, the form before tools; return whether it changed."""
    return _settle_arguments(delta.get("function_call"), "")


def _settle_form(call: dict[str, Any], nothing: str) -> bool:
    """Give a call its function, with arguments as text; `nothing` stands for none."""
    is_changed = False
    if "function" not in call and isinstance(call.get("name"), str) and "custom" not in call:
        call["function"] = {n: call.pop(n) for n in ("name", "arguments") if n in call}
        is_changed = True
    return _settle_arguments(call.get("function"), nothing) | is_changed


def _settle_type(call: dict[str, Any]) -> bool:
    is_missing = not isinstance(call.get("type"), str) or not call["type"]
    if is_missing:
        call["type"] = "custom" if "custom" in call else "function"
    return is_missing


def _settle_arguments(function: object, nothing: str) -> bool:
    """Make text of arguments that are anything else; `nothing` stands for none."""
    if not isinstance(function, dict):
        return False
    arguments = function.get("arguments", None if nothing else "")
    if isinstance(arguments, str):
        return False
    function["arguments"] = nothing if arguments is None else written(arguments)
    return True


def _settle_id(call: dict[str, Any], known: set[str]) -> bool:
    """Give a call an id that no other has."""
    given = call.get("id")
    settled = given if _is_id(given) and given not in known else _new_id()
    known.add(settled)
    call["id"] = settled
    return settled is not given


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())


def _new_id() -> str:
    return f"call_{secrets.token_hex(12)}"


class _Call:
    """A call that has begun: what its parts have said."""

    __slots__ = ("arguments", "given_id", "index", "kept", "may_be_over", "name")

    def __init__(self, index: int, given_id: str | None, name: str | None) -> None:
        self.index = index
        self.given_id = given_id  # the upstream's
        self.name = name
        self.arguments: list[str] = []
        self.kept = 0
        self.may_be_over = False  # named again behind its end

    def go_on(self, said: "_Part") -> None:
        """Note what a later part says."""
        self.given_id = self.given_id or said.given_id
        self.may_be_over |= said.name is not None and said.name == self.name and self.is_complete
        self.name = self.name or said.name
        self.add(said.arguments)

    def add(self, arguments: str) -> None:
        """Note arguments."""
        if arguments and self.kept <= _MAX_KEPT:
            self.arguments.append(arguments)
            self.kept += len(arguments)

    def repeats(self, arguments: str) -> bool:
        """Whether `arguments` that come behind the whole of them say them again, or say nothing."""
        text = arguments.strip()
        if text[:1] not in _OPENING or text[-1:] not in _CLOSING or not self.is_complete:
            return False
        return text in {"{}", *self.arguments} and self.arguments != ["{}"]

    @property
    def has_arguments(self) -> bool:
        return any(piece.strip() for piece in self.arguments)

    @property
    def is_complete(self) -> bool:
        """Whether the arguments so far are a whole object, or list."""
        text = "".join(self.arguments).strip()
        if self.kept > _MAX_KEPT or text[:1] + text[-1:] not in {"{}", "[]"}:
            return False
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            return False
        self.arguments = [text]
        return True


class _Part:
    """What a delta says of one call."""

    __slots__ = ("arguments", "given_id", "has_head", "index", "name")

    def __init__(self, part: Mapping[str, Any]) -> None:
        function = part.get("function") or {}
        self.index = _number(part.get("index"))
        self.given_id = part["id"] if _is_id(part.get("id")) else None
        self.name = function.get("name") or None
        self.arguments = function.get("arguments") or ""
        self.has_head = "id" in part or "type" in part


class ToolCalls:
    """The tool calls of one choice of a stream."""

    def __init__(self) -> None:
        """Expect the first call."""
        self._calls: list[_Call] = []
        self._numbered: dict[int, _Call] = {}  # by the upstream's index
        self._ids: set[str] = set()

    def settle(self, parts: Any) -> bool:
        """Settle what a delta says of calls, in place; return whether anything was changed.

        Raises faults.Fault.
        """
        if not isinstance(parts, list):
            raise faults.bad_response(_MALFORMED)
        is_changed = False
        named: set[int] = set()
        for part in parts:
            is_changed |= self._settle_part(part, named)
        return is_changed

    def _settle_part(self, part: Any, named: set[int]) -> bool:
        """Settle one part; `named` are the calls that the same delta has named."""
        if not isinstance(part, dict):
            raise faults.bad_response(_MALFORMED)
        is_changed = _settle_form(part, "")
        _check(part)
        said = _Part(part)
        call = self._meant(said)
        if call is not None and not _begins(said, call, named):
            return self._go_on(part, said, call) | is_changed
        if call is not None and said.name is None:
            part["function"] = {**part["function"], "name": call.name}
            said = _Part(part)
            is_changed = True
        return self._begin(part, said, named) | is_changed

    def _meant(self, said: _Part) -> _Call | None:
        """Return the call that a part goes on with, unless it begins one; None if none has."""
        if said.index is not None and said.index in self._numbered:
            return self._numbered[said.index]
        by_id = next((call for call in self._calls if call.given_id == said.given_id), None)
        if said.given_id is not None and by_id is not None:
            is_in_the_middle = by_id.has_arguments and not by_id.is_complete
            is_other = said.index is not None and said.name is not None and not is_in_the_middle
            return None if is_other else by_id
        # Without a number the last one is meant, also if it is named again.
        is_of_last = said.index is None or (said.name is None and said.given_id is None)
        return self._calls[-1] if is_of_last and self._calls else None

    def _begin(self, part: dict[str, Any], said: _Part, named: set[int]) -> bool:
        call = _Call(len(self._calls), said.given_id, said.name)
        call.add(said.arguments)
        self._calls.append(call)
        self._numbered[call.index if said.index is None else said.index] = call
        named.add(call.index)
        return _settle_id(part, self._ids) | _settle_type(part) | _set_index(part, call.index)

    def _go_on(self, part: dict[str, Any], said: _Part, call: _Call) -> bool:
        is_changed = _set_index(part, call.index)
        for name in ("id", "type"):
            is_changed |= part.pop(name, None) is not None
        function = part.get("function") or {}
        if call.name is not None and "name" in function and said.name in {None, call.name}:
            del function["name"]  # SDKs would append it to the first
            is_changed = True
        if said.name is None and call.repeats(said.arguments):
            function["arguments"] = ""  # SDKs would append them to what is whole
            return True
        call.go_on(said)
        return is_changed


def _begins(said: _Part, call: _Call, named: set[int]) -> bool:
    """Whether a part begins another call than the one that is meant so far.

    One without a name never does, whatever its id, unless the call was named again behind its end.
    """
    has_arguments = bool(said.arguments.strip())
    if said.name is None:
        return call.may_be_over and has_arguments
    if call.name is None:
        return call.index in named
    is_known = said.given_id is not None and said.given_id == call.given_id
    is_other = said.given_id is not None and call.given_id is not None and not is_known
    is_same_name = said.name == call.name
    if call.is_complete:
        return is_other or has_arguments or not is_same_name
    if call.has_arguments:  # and in the middle of them
        return not is_same_name or (is_other and said.index is None)
    if call.index in named:
        return has_arguments or not (is_known and is_same_name)
    if is_other and is_same_name and said.index is not None and has_arguments:
        return False  # its first arguments, under an id that changes with every part
    # A name may come in pieces; one with more beside it is another.
    return is_other or (not is_same_name and (said.has_head or has_arguments))


def _check(part: Mapping[str, Any]) -> None:
    """Raise faults.Fault for what is no part of a tool call."""
    function = part.get("function") or {}
    if not isinstance(function, dict) or not isinstance(function.get("name"), str | None):
        raise faults.bad_response(_MALFORMED)


def _set_index(part: dict[str, Any], index: int) -> bool:
    given = part.get("index")
    part["index"] = index
    return type(given) is not int or given != index


def _number(index: object) -> int | None:
    """Read the upstream's index of a call: a number, which may be written as text; None is none."""
    if index is None or index == "":
        return None
    try:
        number = float(index) if isinstance(index, int | float | str) else None
    except ValueError:
        number = None
    if number is None or isinstance(index, bool) or not number.is_integer():
        raise faults.bad_response(_MALFORMED)
    return int(number)
