"""Finds the rewritten prompts in a model's reply: a ladder of parsers from strict to lenient."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import json_repair

from llm_api.services.prompts.strategies.reply_comments import ASIDE, without_comments
from llm_api.services.prompts.strategies.reply_marks import without_marks
from llm_api.services.prompts.text import clean, lowered

MAX_REPLY_CHARS = 24_000
# Without one of them a reply has no marks of its format. To look for each of them in turn takes a
# tenth of the time of a pattern: here, and wherever else signs are looked for.
_MARK_SIGNS = ("<", "[", "◁", "\\", "analysis", "assistant", "response:", "思考", "推理", "分析")
_THOUGHT_SIGNS = ("think", "thought", "reasoning")  # in any case
# The same for JSON, whose backslashes mark nothing: it can have marks only behind its beginning.
_MARKS_IN_JSON = (*(sign for sign in _MARK_SIGNS if sign != "\\"), "]~b]")
_SIGNS_IN_JSON = (*_THOUGHT_SIGNS, "response:", "assistantfinal", "assistant\nfinal")
_KEYS = ("optimized_prompt", "optimized_prompts", "optimizedPrompt", "rewritten_prompt", "prompt")
_FENCE = re.compile(r"```[a-z]*\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(
    r"<(answer|(?:(?:final|optimized|rewritten|enhanced|improved)_)?(?:prompt|answer)|output|response|result|rewrite)>(.*?)</\1>",
    re.DOTALL | re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"\A\s*(?:(?:sure|certainly|of course|okay|absolutely)\b(?!-)[^\n:.!]{0,80}[:!.]\s*|"
    r"(?:here(?:['’]s| is)|the (?:optimized|rewritten) prompt)\b[^\n:]{0,80}:\s*|"
    r"(?:(?:optimized|rewritten|improved|enhanced|final) )?prompt\s*:\s*|"
    r"(?:好的|当然)[，,。!！]?\s*|(?:以下是|改写后|优化后|提示词|根据)[^\n：:]{0,20}[：:]\s*)",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"\*\*|^#{1,6}\s+|^[-*]\s+|`", re.MULTILINE)
_UNDERSCORES = re.compile(r"__([^_\n]{1,200})__")
_MARKDOWN_MARKS = "*_`#\n"  # without one of them, or a hyphen at the start, there is none
_ASIDE_ENDS = (")", "]", "）", "】")
_I_BEHIND_DASH = re.compile(r"[—–-](?<=\s.)\s*[Ii\u0130\u0131]")
_LEFTOVER_JSON = re.compile(r"\A(?:json\b\s*)?[{\[]|\{\s*[\"'][\w ]+[\"']\s*:", re.IGNORECASE)
_QUOTE_PAIRS = {'"': '"', "'": "'", "“": "”", "「": "」"}


def find_prompts(text: str, syntax: Sequence[str] = ()) -> Sequence[str]:
    """Return the prompts in a model's reply, each in one paragraph; none if it has none.

    A reply of more than 24,000 characters is not searched. `syntax` is what the original has for
    the programs that read it, such as `__color__`; it is no Markdown.
    """
    if len(text) > MAX_REPLY_CHARS:
        return []
    if _is_unmarked_json(text) and (found := _strict(text)) is not None:
        return list(dict.fromkeys(filter(None, [_tidy(one, syntax) for one in found])))
    bare = _bare(text)
    for read in (_strict, _balanced, _repaired, _fenced, _tagged):
        if (found := read(bare)) is not None:
            tidied = (_tidy(_bare(one), syntax) for one in found)
            return list(dict.fromkeys(filter(None, tidied)))
    # JSON in which no rung found a prompt is not a prompt itself, whatever stands around it.
    plain = _tidy(bare, syntax)
    is_json = _LEFTOVER_JSON.search(plain) and not plain.startswith(tuple(syntax))
    return [plain] if plain and not is_json else []


def _bare(text: str) -> str:
    has_signs = any(map(text.__contains__, _MARK_SIGNS))
    has_signs = has_signs or any(map(lowered(text).__contains__, _THOUGHT_SIGNS))
    return without_marks(text) if has_signs else text.strip()


def _is_unmarked_json(text: str) -> bool:
    """Whether a reply is JSON, and neither it nor any text in it has a mark of a reply's format.

    Most replies are. Where it escapes nothing but quotation marks, its texts have no other signs
    than it has itself: they are not looked for again.
    """
    return (
        text.startswith("{")
        and text.count("\\") == text.count('\\"')
        and not any(map(text.__contains__, _MARKS_IN_JSON))
        and not any(map(lowered(text).__contains__, _SIGNS_IN_JSON))
    )


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
    return [match[1]] if match and not _LEFTOVER_JSON.search(match[1].strip()) else None


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


def _tidy(text: str, syntax: Sequence[str]) -> str:
    """Remove what stands around a prompt and Markdown, and join the text into one paragraph."""
    text = text.strip()
    steps: tuple[Callable[[str], str], ...] = (
        lambda t: without_comments(t) if "\n" in t else t,
        lambda t: ASIDE.sub("", t) if _may_have_aside(t) else t,
        lambda t: _without_markdown(t, syntax),
        lambda t: _PREAMBLE.sub("", _PREAMBLE.sub("", t)),  # "Sure!", and then a label
        clean,
        _unquoted,
    )
    for step in steps:
        text = step(text)
    return text


def _may_have_aside(text: str) -> bool:
    """Whether a note can stand at the end: to know that takes a tenth of the time of a search."""
    if text.rstrip().endswith(_ASIDE_ENDS):
        return True
    has_dash = any(map(text.__contains__, "—–-"))
    return has_dash and _I_BEHIND_DASH.search(text) is not None


def _without_markdown(text: str, syntax: Sequence[str]) -> str:
    if not (text.startswith("-") or any(map(text.__contains__, _MARKDOWN_MARKS))):
        return text
    text = _UNDERSCORES.sub(lambda pair: pair[0] if pair[0] in syntax else pair[1], text)
    return _MARKDOWN.sub("", text)


def _unquoted(text: str) -> str:
    """Remove quotes around the whole text, not those of a text that begins and ends with quotes."""
    closing = _QUOTE_PAIRS.get(text[:1])
    inner = text[1:-1]
    if closing is None or len(text) < 2 or not text.endswith(closing):
        return text
    return text if text[0] in inner or closing in inner else inner.strip()
