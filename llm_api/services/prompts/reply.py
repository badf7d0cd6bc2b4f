"""Finds the rewritten prompt in whatever a model wrote: a ladder from strict to lenient."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import json_repair

_KEY = "optimized_prompt"
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[a-z]*\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<(answer|prompt|optimized_prompt)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_PREAMBLE = re.compile(
    r"\A\s*(?:(?:sure|certainly|of course|okay)\b(?!-)[^\n:.!]{0,80}[:!.]\s*|"
    r"(?:here(?:['’]s| is)|the (?:optimized|rewritten) prompt)\b[^\n:]{0,80}:\s*|"
    r"(?:optimized|rewritten|improved) prompt\s*:\s*|"
    r"(?:好的|当然)[，,。!！]?\s*|(?:以下是|改写后|优化后)[^\n：:]{0,20}[：:]\s*)",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"\*\*|__|^#{1,6}\s+|^[-*]\s+|`", re.MULTILINE)
_LEFTOVER_JSON = re.compile(r"\A(?:json\b\s*)?[{\[]|\{\s*[\"'][\w ]+[\"']\s*:", re.IGNORECASE)
_QUOTE_PAIRS = {'"': '"', "'": "'", "“": "”", "「": "」"}


def find_prompt(text: str) -> str:
    """Return the prompt in a model's reply, in one paragraph; empty if there is none."""
    bare = _THINKING.sub("", text).strip()
    for read in (_strict, _fenced, _balanced, _repaired, _tagged):
        if (found := read(bare)) is not None:
            return _tidy(found)
    # JSON in which no rung found a prompt is not a prompt itself, whatever stands around it.
    plain = _tidy(bare)
    return "" if _LEFTOVER_JSON.search(plain) else plain


def _strict(text: str) -> str | None:
    try:
        return _prompt_of(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _fenced(text: str) -> str | None:
    match = _FENCE.search(text)
    return (_strict(match[1]) or (None if "{" in match[1] else match[1])) if match else None


def _balanced(text: str) -> str | None:
    return next((found for part in _objects(text) if (found := _strict(part)) is not None), None)


def _repaired(text: str) -> str | None:
    if _KEY not in text or "{" not in text:
        return None
    try:
        return _prompt_of(json_repair.loads(text[text.index("{") :]))
    except RecursionError:
        return None


def _tagged(text: str) -> str | None:
    match = _TAG.search(text)
    return match[2] if match else None


def _prompt_of(document: Any) -> str | None:
    value = document.get(_KEY) if isinstance(document, dict) else None
    return value if isinstance(value, str) else None


def _objects(text: str) -> Iterator[str]:
    """Yield the outermost `{…}` parts of a text, braces inside strings left alone."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield text[at:end]
        at = text.find("{", end)


def _tidy(text: str) -> str:
    """Take off preamble, markdown and outer quotes, and fold the text into one paragraph."""
    steps: tuple[Callable[[str], str], ...] = (
        lambda t: _MARKDOWN.sub("", t),
        lambda t: _PREAMBLE.sub("", t),
        lambda t: " ".join(t.split()),
        _unquoted,
    )
    for step in steps:
        text = step(text)
    return text


def _unquoted(text: str) -> str:
    """Take off quotes around the whole text, not those of a text that begins and ends with one."""
    closing = _QUOTE_PAIRS.get(text[:1])
    inner = text[1:-1]
    if closing is None or len(text) < 2 or not text.endswith(closing):
        return text
    return text if text[0] in inner or closing in inner else inner.strip()
