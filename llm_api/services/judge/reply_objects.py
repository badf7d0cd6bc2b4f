"""Finds JSON objects in a model's reply, and makes up nothing that is not there.

Objects are taken whole or not at all: of one that is cut off, no part counts. Forms that models use
in place of JSON (single quotes, trailing commas, `True`) are repaired only inside of braces that
close, and only where the repair has kept every deciding word.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import json_repair

from llm_api.services.prompts import without_marks

MAX_REPLY_CHARS = 24_000
# The members that decide something. Where one stands twice in an object, nobody knows which counts.
_DECIDING = ("level", "answer", "better", "id")
_MEMBERS = {name: re.compile(rf"(?<![\w\\])['\"]?{name}['\"]?\s*:") for name in _DECIDING}

_BRACE = re.compile(r"[{}]")
_BRACE_OR_TEXT = re.compile(r'[{}]|"(?:[^"\\]|\\.)*"', re.DOTALL)


class _Repeated(ValueError):
    """A member stands twice in an object."""


def objects_in(reply: str) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield the objects of a reply without its thoughts; of nothing but thoughts, theirs.

    Where something was said after the thoughts, a draft in them is not the answer: the model may
    have refused. A reply of more than 24,000 characters has none.
    """
    if len(reply) > MAX_REPLY_CHARS:
        return
    bare = without_marks(reply)
    yield list(_objects(bare))
    if not bare:
        yield list(_objects(reply))


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except _Repeated:
            return
        except (ValueError, RecursionError):
            closing = _closing(text, at)
            if closing is None:  # cut off: what stands inside is a part of it
                return
            found, end = _repaired(text[at:closing]), closing
        if found is not None:
            yield found
        at = text.find("{", end)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise _Repeated
    return document


def _closing(text: str, start: int) -> int | None:
    """Return where the object ends that begins at `start`; None where it does not.

    Braces inside of JSON's texts do not count, unless the quotes of another form mislead.
    """
    end = _balanced(_BRACE_OR_TEXT, text, start)
    return _balanced(_BRACE, text, start) if end is None else end


def _balanced(signs: re.Pattern[str], text: str, start: int) -> int | None:
    depth = 0
    for sign in signs.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(sign[0], 0)
        if depth == 0:
            return sign.end()
    return None


def _repaired(text: str) -> dict[str, Any] | None:
    try:
        found = json_repair.loads(text, skip_json_loads=True)
    except (RecursionError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    for name, member in _MEMBERS.items():
        if len(member.findall(text)) != _count(found, name):
            return None
    return found


def _count(value: Any, name: str) -> int:
    """Count the members of a name, however deep they stand."""
    if isinstance(value, dict):
        return (name in value) + sum(_count(inner, name) for inner in value.values())
    return sum(_count(inner, name) for inner in value) if isinstance(value, list) else 0
