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
_VERDICTS = ("dimensions", "checkpoints", "level", "answer", "better")
_MEMBERS = {name: re.compile(rf"(?<![\w\\])['\"]?{name}['\"]?\s*:") for name in _DECIDING}
# One value, and then the next member or the end: "good" or "bad" is none, nor is !good.
_VALUE = (
    r"""\s*(?:"[^"\n]*"|'[^'\n]*'|[“”][^“”\n]*[“”]|\w+)"""
    r"""(?=\s*,?\s*(?:\}|['"“]?\w+['"”]?\s*:))"""
)
_CLEAR = {name: re.compile(member.pattern + _VALUE) for name, member in _MEMBERS.items()}

_BRACE = re.compile(r"[{}]")
_BRACE_OR_TEXT = re.compile(r'[{}]|"(?:[^"\\]|\\.)*"', re.DOTALL)
# Stands for an object while marks are removed; nothing that people write has these signs.
_OPEN, _SHUT = "\ue000", "\ue001"
_STAND_IN = re.compile(rf"{_OPEN}(\d+){_SHUT}")
_FENCE = re.compile(r"\s*(?:```\w*\s*)?")
_MAX_UNCLOSED = 20
_MAX_BRACES = 400  # in what is repaired, which takes seconds where thousands are nested


class _Repeated(ValueError):
    """A member stands twice in an object."""


def objects_in(reply: str) -> Sequence[dict[str, Any]]:
    """Return the objects of a reply without its thoughts; of one that is only thoughts, theirs.

    There are none where something that looks like a verdict cannot be read, for that may be the one
    that counts; nor in a reply of more than 24,000 characters.
    """
    if len(reply) > MAX_REPLY_CHARS:
        return []
    bare = _answer_in(reply)
    found = list(_objects(bare if bare.strip() else reply))
    return [] if None in found else [one for one in found if one is not None]


def is_verdict(document: dict[str, Any]) -> bool:
    """Whether an object says something of a picture, be it whole or not."""
    return any(_count(document, name) for name in _VERDICTS)


def _answer_in(reply: str) -> str:
    """Return a reply without its thoughts and marks; what stands inside of an object is no mark.

    A judge quotes what it reads in a picture, and there anything may be written.
    """
    reply = reply.replace(_OPEN, "").replace(_SHUT, "")
    if _FENCE.fullmatch(reply, 0, max(0, reply.find("{"))):
        return reply  # it begins with its answer, and no mark stands before that
    pieces: list[str] = []
    objects: list[str] = []
    done, unclosed, at = 0, 0, reply.find("{")
    while at >= 0:
        end = None if reply.endswith("\\boxed", 0, at) else _closing(reply, at)
        # Thoughts have braces, too, that close in the middle of what follows.
        if end is None or _found(reply[at:end]) is None:
            end, unclosed = None, unclosed + 1
            if unclosed > _MAX_UNCLOSED:
                return ""
        else:
            pieces += [reply[done:at], f"{_OPEN}{len(objects)}{_SHUT}"]
            objects.append(reply[at:end])
            done = end
        at = reply.find("{", end or at + 1)
    bare = without_marks("".join([*pieces, reply[done:]]))
    return _STAND_IN.sub(lambda found: objects[int(found[1])], bare)


def _objects(text: str) -> Iterator[dict[str, Any] | None]:
    """Yield the objects of a text; None for a verdict that cannot be read."""
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            closing = _closing(text, at)
            end = len(text) if closing is None else closing
            # Of one that is cut off, what stands inside is a part.
            is_hopeless = closing is None or isinstance(error, _Repeated)
            found = None if is_hopeless else _repaired(text[at:end])
            if found is None and _looks_like_verdict(text[at:end]):
                yield None
        if found is not None:
            yield found
        at = text.find("{", end)


def _found(text: str) -> dict[str, Any] | None:
    """Return the object that a text is, None where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _repaired(text)
    return found if isinstance(found, dict) else None


def _looks_like_verdict(text: str) -> bool:
    return any(name in text for name in _VERDICTS)


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
    if text.count("{") > _MAX_BRACES:
        return None
    try:
        found = json_repair.loads(text, skip_json_loads=True)
    except (RecursionError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    for name in _DECIDING:
        count = _count(found, name)
        if any(len(form[name].findall(text)) != count for form in (_MEMBERS, _CLEAR)):
            return None
    return found


def _count(value: Any, name: str) -> int:
    """Count the members of a name, however deep they stand."""
    if isinstance(value, dict):
        return (name in value) + sum(_count(inner, name) for inner in value.values())
    return sum(_count(inner, name) for inner in value) if isinstance(value, list) else 0
