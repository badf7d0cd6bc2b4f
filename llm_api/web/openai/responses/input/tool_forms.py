"""Tools, and which of them are to be called, in the form of a chat.

Tools that OpenAI runs itself (web search, file search, code, MCP servers, …) are left out, and so
are those of which a chat has no form: a model that does not know of a tool does without.

Sources: https://platform.openai.com/docs/api-reference/responses/create and, for namespaces,
https://developers.openai.com/api/docs/guides/tools-tool-search.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_api.domain.safe_text import made_printable
from llm_api.errors import InvalidRequest
from llm_api.web.openai.responses.input.tool_names import (
    CUSTOM,
    FUNCTION,
    INPUT,
    ToolName,
    ToolNames,
)

NAMESPACE, ALLOWED = "namespace", "allowed_tools"
_CALLED = (FUNCTION, CUSTOM)
_REQUIRED = "required"
_WITHOUT_ARGUMENTS = {"type": "object", "properties": {}}
_MAX_SHOWN = 64

Tool = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolForms:
    """The tools of a request.

    Args:
        names: those that the model is told of.
        parameters: what a chat says about them.
        kept: the client's own descriptions of what was not left out.
        lost: names of what was.
        refusal: why a chat cannot say what is to be called; None where it can.
    """

    names: ToolNames = field(default_factory=ToolNames)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    kept: Sequence[Tool] = ()
    lost: tuple[str, ...] = ()
    refusal: InvalidRequest | None = None


NO_TOOLS = ToolForms()


def tool_forms(tools: Sequence[Tool], choice: Any, *, is_parallel: bool | None) -> ToolForms:
    """Put the tools of a request, and its `tool_choice`, into the form of a chat.

    Raises InvalidRequest for the choice of a function that is not among the tools.
    """
    if not tools and choice is None:
        return NO_TOOLS
    kept = [tool for tool in tools if tool["type"] in (*_CALLED, NAMESPACE)]
    others = [tool["type"] for tool in tools if tool["type"] not in (*_CALLED, NAMESPACE)]
    described = list(_described(kept))
    names = ToolNames.of(name for name, _ in described)
    wanted = _wanted(choice, names)
    refusal = wanted.refusal
    parameters: dict[str, Any] = {}
    if functions := _functions(described, names, wanted.only):
        parameters = {"tools": functions, "parallel_tool_calls": is_parallel}
        parameters["tool_choice"] = wanted.word
    elif wanted.word == _REQUIRED:
        refusal = _missing("must be auto or none: there is no tool here that could be called.")
    return ToolForms(
        names,
        _without_null(parameters),
        [flat(tool) for tool in kept],
        tuple(dict.fromkeys(f"tools.{kind}" for kind in others)),
        refusal,
    )


def flat(tool: Tool) -> Tool:
    """Return a tool as an answer repeats it, also where it was given in the form of a chat."""
    inner = tool.get(FUNCTION)
    if tool["type"] != FUNCTION:
        return tool
    given = {**inner, "type": FUNCTION} if isinstance(inner, dict) else tool
    # The types of OpenAI's SDKs require both.
    return {"parameters": None, **given, "strict": bool(given.get("strict"))}


def _described(tools: Sequence[Tool]) -> Iterator[tuple[ToolName, Tool]]:
    """Yield the tools that a model can call, those of namespaces last, for names may collide."""
    for tool in tools:
        if tool["type"] in _CALLED:
            one = flat(tool)
            yield ToolName(tool["type"], one["name"]), one
    for space in tools:
        for tool in space["tools"] if space["type"] == NAMESPACE else ():
            about = {"description": space.get("description"), **_without_null(flat(tool))}
            yield ToolName(tool["type"], about["name"], space["name"]), about


def _functions(
    described: Sequence[tuple[ToolName, Tool]],
    names: ToolNames,
    only: frozenset[tuple[str | None, str]] | None,
) -> list[dict[str, Any]]:
    """Return the functions of a chat, each once."""
    functions: dict[str, dict[str, Any]] = {}
    for name, tool in described:
        if only is None or (name.namespace, name.name) in only:
            plain = names.plain(name.name, name.namespace)
            functions.setdefault(plain, _function(plain, name, tool))
    return [{"type": FUNCTION, FUNCTION: one} for one in functions.values()]


def _function(plain: str, name: ToolName, tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": plain}
    if name.kind == CUSTOM:
        return function | {"description": _of_text(tool), "parameters": _TEXT_ALONE}
    if tool.get("description") is not None:
        function["description"] = tool["description"]
    function["parameters"] = tool.get("parameters") or _WITHOUT_ARGUMENTS
    return function | ({"strict": True} if tool.get("strict") else {})


_TEXT_ALONE = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The whole input of the tool."}},
    "required": [INPUT],
    "additionalProperties": False,
}


def _of_text(tool: Tool) -> str:
    """Describe a custom tool, with the grammar of its text, which only OpenAI could hold it to."""
    about = tool.get("description") or ""
    form = tool.get("format")
    grammar = form.get("definition") if isinstance(form, dict) else None
    if not isinstance(grammar, str):
        return about
    syntax = form.get("syntax") if isinstance(form, dict) else None
    return f"{about}\n\n`{INPUT}` must fit this grammar ({syntax}):\n{grammar}".strip()


def _without_null(tool: Tool) -> dict[str, Any]:
    return {name: value for name, value in tool.items() if value is not None}


# --- which of them ---


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be called: the word or object of a chat, and the only tools that may be."""

    word: Any = None
    only: frozenset[tuple[str | None, str]] | None = None
    refusal: InvalidRequest | None = None


def _wanted(choice: Any, names: ToolNames) -> _Wanted:
    if choice is None or isinstance(choice, str):
        return _Wanted(choice)
    kind = choice["type"]
    if kind == ALLOWED:
        # Servers that know no such choice know a shorter list.
        return _Wanted(choice["mode"], frozenset(_allowed(choice["tools"], names)))
    if kind not in _CALLED:
        message = (
            f"must not insist on {_shown(kind)}: such a tool is run by OpenAI, and not here."
            " Leave tool_choice out, or give the model a function that does the same."
        )
        return _Wanted(refusal=_missing(message))
    space, name = _name_in(choice)
    if not names.has(name, space):
        message = f"must name one of the tools; {_shown(name)} is none of them."
        raise InvalidRequest.of_field("tool_choice", message, reason="tool_not_found")
    return _Wanted({"type": FUNCTION, FUNCTION: {"name": names.plain(name, space)}})


def _allowed(tools: Sequence[Tool], names: ToolNames) -> Iterator[tuple[str | None, str]]:
    """Yield what tools a list has by their types and names."""
    for tool in tools:
        if tool.get("type") in _CALLED:
            yield _name_in(tool)
        elif tool.get("type") == NAMESPACE:
            yield from (one for one in names.by_original if one[0] == tool.get("name"))


def _name_in(choice: Mapping[str, Any]) -> tuple[str | None, str]:
    inner = choice.get(FUNCTION)
    name = choice.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    space = choice.get(NAMESPACE)
    return (space if isinstance(space, str) else None), str(name)


def _missing(message: str) -> InvalidRequest:
    return InvalidRequest.of_field("tool_choice", message, reason="not_supported")


def _shown(name: str) -> str:
    return made_printable(name[:_MAX_SHOWN])
