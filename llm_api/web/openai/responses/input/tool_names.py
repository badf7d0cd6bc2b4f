"""Names of tools: what the model is told, and which tool of the client that is.

A chat knows functions alone, in one list, with names of 64 letters, digits, _ and -. Tools of a
namespace become functions by the names of both, and a custom tool one with a single text.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import orjson

MAX_NAME = 64  # https://platform.openai.com/docs/api-reference/chat/create, of a function's name
FUNCTION: Literal["function"] = "function"
CUSTOM: Literal["custom"] = "custom"
# The one argument of a function that stands for a custom tool.
INPUT = "input"
_SEPARATOR = "__"
_DIGEST = 8  # hexadecimal digits that tell two names apart of which too little is left
_is_plain = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_others = re.compile(r"[^A-Za-z0-9_-]")


class ToolName(NamedTuple):
    """A tool as the client named it."""

    kind: Literal["function", "custom"]
    name: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class ToolNames:
    """The tools of a request, by the names that the model is told."""

    by_plain: Mapping[str, ToolName] = field(default_factory=dict)
    by_original: Mapping[tuple[str | None, str], str] = field(default_factory=dict)

    def original(self, plain: str) -> ToolName:
        """Return the client's tool; a name that it has not given stands for itself."""
        return self.by_plain.get(plain) or ToolName(FUNCTION, plain)

    def plain(self, name: str, namespace: str | None = None) -> str:
        """Return what the model is told, or was told when the tool was still there."""
        known = self.by_original.get((namespace, name))
        return known or plain_name(name, namespace)

    def has(self, name: str, namespace: str | None = None) -> bool:
        """Whether the request has the tool."""
        return (namespace, name) in self.by_original

    @classmethod
    def of(cls, tools: Iterable[ToolName]) -> "ToolNames":
        """Name tools, each once; names that would be the same are told apart."""
        by_plain: dict[str, ToolName] = {}
        by_original: dict[tuple[str | None, str], str] = {}
        for tool in tools:
            if (tool.namespace, tool.name) in by_original:
                continue
            plain = plain_name(tool.name, tool.namespace)
            if plain in by_plain:
                plain = _told_apart(plain, f"{tool.namespace} {tool.name}")
            by_plain[plain] = tool
            by_original[tool.namespace, tool.name] = plain
        return cls(by_plain, by_original)

    @staticmethod
    def custom_input(arguments: str) -> str:
        """Return the text of a call to a custom tool from the arguments that a model wrote.

        What is not the object that it was asked for is the text itself.
        """
        try:
            written = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return arguments
        text = written.get(INPUT) if isinstance(written, dict) else None
        return text if isinstance(text, str) else arguments


def plain_name(name: str, namespace: str | None = None) -> str:
    """Return a name that every upstream takes; the same one for the same tool, in every request."""
    whole = name if namespace is None else f"{namespace}{_SEPARATOR}{name}"
    if _is_plain(whole):
        return whole
    return _told_apart(_others.sub("_", whole), whole)


def _told_apart(plain: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode(errors="replace")).hexdigest()[:_DIGEST]
    return f"{plain[: MAX_NAME - _DIGEST - 1]}_{digest}"
