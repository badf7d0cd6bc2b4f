"""Finds the rewritten prompts in a model's reply: a ladder of parsers from strict to lenient."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import json_repair

from llm_api.services.prompts.text import clean

MAX_REPLY_CHARS = 24_000
_KEYS = ("optimized_prompt", "optimized_prompts", "optimizedPrompt", "rewritten_prompt", "prompt")
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
# Some templates open the thoughts themselves, so that only their end is in the answer.
_THOUGHT_END = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[a-z]*\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<(answer|prompt|optimized_prompt|output)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_PREAMBLE = re.compile(
    r"\A\s*(?:(?:sure|certainly|of course|okay|absolutely)\b(?!-)[^\n:.!]{0,80}[:!.]\s*|"
    r"(?:here(?:['’]s| is)|the (?:optimized|rewritten) prompt)\b[^\n:]{0,80}:\s*|"
    r"(?:(?:optimized|rewritten|improved|enhanced|final) )?prompt\s*:\s*|"
    r"(?:好的|当然)[，,。!！]?\s*|(?:以下是|改写后|优化后|提示词|根据)[^\n：:]{0,20}[：:]\s*)",
    re.IGNORECASE,
)
_EPILOGUE = re.compile(
    r"\n\s*(?:(?:notes?|changes(?: made)?|explanation|negative prompt|improvements)\s*[:\n]|"
    r"(?:let me know|feel free|i hope|hope this|this (?:version|prompt|rewrite))\b|"
    r"(?:说明|改动|修改说明|注|负面提示词|反向提示词)\s*[:：\n]|希望).*\Z",
    re.DOTALL | re.IGNORECASE,
)
_MARKDOWN = re.compile(r"\*\*|__|^#{1,6}\s+|^[-*]\s+|`", re.MULTILINE)
_MARKDOWN_MARKS = re.compile(r"[*_`#\n]|\A-")  # without one of them there is none
_LEFTOVER_JSON = re.compile(r"\A(?:json\b\s*)?[{\[]|\{\s*[\"'][\w ]+[\"']\s*:", re.IGNORECASE)
_QUOTE_PAIRS = {'"': '"', "'": "'", "“": "”", "「": "」"}


def find_prompts(text: str) -> Sequence[str]:
    """Return the prompts in a model's reply, each in one paragraph; none if it has none.

    A reply of more than 24,000 characters is not searched.
    """
    if len(text) > MAX_REPLY_CHARS:
        return []
    bare = (_THOUGHT_END.sub("", _THINKING.sub("", text)) if "<" in text else text).strip()
    for read in (_strict, _balanced, _repaired, _fenced, _tagged):
        if (found := read(bare)) is not None:
            return list(dict.fromkeys(filter(None, map(_tidy, found))))
    # JSON in which no rung found a prompt is not a prompt itself, whatever stands around it.
    plain = _tidy(bare)
    return [plain] if plain and not _LEFTOVER_JSON.search(plain) else []


def _strict(text: str) -> Sequence[str] | None:
    try:
        return _prompts_of(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _balanced(text: str) -> Sequence[str] | None:
    return next((found for part in _objects(text) if (found := _strict(part)) is not None), None)


def _repaired(text: str) -> Sequence[str] | None:
    if "{" not in text or not any(key in text for key in _KEYS):
        return None
    try:
        return _prompts_of(json_repair.loads(text[text.index("{") :]))
    except (RecursionError, ValueError):
        return None


def _fenced(text: str) -> Sequence[str] | None:
    match = _FENCE.search(text)
    return [match[1]] if match and "{" not in match[1] else None


def _tagged(text: str) -> Sequence[str] | None:
    match = _TAG.search(text)
    return [match[2]] if match else None


def _prompts_of(document: Any) -> Sequence[str] | None:
    """Return the text or texts of the first key that has any."""
    if not isinstance(document, dict):
        return None
    for key in _KEYS:
        value = document.get(key)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and any(isinstance(item, str) for item in value):
            return [item for item in value if isinstance(item, str)]
    return None


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
    """Remove preamble, Markdown and outer quotes, and join the text into one paragraph."""
    steps: tuple[Callable[[str], str], ...] = (
        lambda t: _EPILOGUE.sub("", t),
        lambda t: _MARKDOWN.sub("", t) if _MARKDOWN_MARKS.search(t) else t,
        lambda t: _PREAMBLE.sub("", t),
        clean,
        _unquoted,
    )
    for step in steps:
        text = step(text)
    return text


def _unquoted(text: str) -> str:
    """Remove quotes around the whole text, not those of a text that begins and ends with quotes."""
    closing = _QUOTE_PAIRS.get(text[:1])
    inner = text[1:-1]
    if closing is None or len(text) < 2 or not text.endswith(closing):
        return text
    return text if text[0] in inner or closing in inner else inner.strip()
