"""Finds the rewritten prompts in a model's reply: a ladder of parsers from strict to lenient."""

import json
import re
from collections.abc import Callable, Sequence

from llm_api.services.prompts.strategies.reply_comments import (
    ASIDE,
    is_long,
    speaks,
    without_comments,
)
from llm_api.services.prompts.strategies.reply_fields import known_prompts, prompts_of_json
from llm_api.services.prompts.strategies.reply_layout import (
    LONE_TAG,
    fenced_texts,
    options_in,
    tagged_texts,
    without_tables,
)
from llm_api.services.prompts.strategies.reply_marks import put_aside, without_marks
from llm_api.services.prompts.strategies.reply_markup import arguments_in, without_markup
from llm_api.services.prompts.strategies.reply_sections import section_of, without_opening
from llm_api.services.prompts.text import clean, lowered

MAX_REPLY_CHARS = 24_000
# Without one of them a reply has no marks of its format. To look for each of them in turn takes a
# tenth of the time of a pattern: here, and wherever else signs are looked for.
_MARK_SIGNS = (
    *("<", "[", "]~b]", "◁", "\\", "analysis", "assistant", "response:"),
    *("final\n", "model\n", "思考", "推理", "分析"),
)
_THOUGHT_SIGNS = ("think", "thought", "reasoning")  # in any case
# The same for JSON, whose backslashes mark nothing: it can have marks only behind its beginning.
_MARKS_IN_JSON = tuple(sign for sign in _MARK_SIGNS if sign != "\\")
_SIGNS_IN_JSON = (*_THOUGHT_SIGNS, "response:", "assistantfinal", "assistant\nfinal")
# Around the whole text; inside of it, markup is no part of a prompt, and the checks refuse it.
_WRAPPED = re.compile(
    r"\A\s*(?:<!\[CDATA\[([^<>]+)\]\]>|<(p|b|strong|em|i|div|span)>([^<>]+)</\2>)\s*\Z",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"\*\*|^#{1,6}\s+|^[-*•>]\s+|`|#{2,}\Z", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+(.*?)[ \t]*$", re.MULTILINE)
_EMPHASIS = re.compile(r"\A\s*([*_]{1,3})(?=\S)([^*\n]+?)\1\s*\Z")
_UNDERSCORES = re.compile(r"__([^_\n]{1,200})__")
_MARKDOWN_MARKS = "*_`#\n•>"  # without one of them, or a hyphen at the start, there is none
_ASIDE_ENDS = (")", "]", "）", "】")
_I_BEHIND_DASH = re.compile(r"[—–-](?<=\s.)\s*(?:[Ii\u0130\u0131]|\d{1,4} (?:words|char))")
# Lines without letters; patterns that begin with a line would look through them from each.
_GAPS = re.compile(r"\n(?:[ \t\r]*\n){2,}")
_LEFTOVER_JSON = re.compile(
    r"\A(?:json\b\s*)?(?:\{|\[\s*[\[{\"'])|\{\s*[\"'][\w ]+[\"']\s*:", re.IGNORECASE
)
_JSON_BEHIND = re.compile(
    r"\n[ \t]*(?:```(?:json)?[ \t]*\n[ \t]*)?\{\s{0,40}\"[^{}]*\}\s{0,40}(?:```)?\Z"
)
_QUOTE_PAIRS = {'"': '"', "'": "'", "“": "”", "「": "」", "«": "»", "『": "』", "„": "“"}
_SENTENCE_END = ".!?。！？,，;；:：、"
_BETWEEN_HAN = re.compile(r"，\n[ \t]*")
_HAN_END = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]\Z")


def find_prompts(text: str, syntax: Sequence[str] = ()) -> Sequence[str]:
    """Return the prompts in a model's reply, each in one paragraph; none if it has none.

    A reply of more than 24,000 characters is not searched. `syntax` is what the original has for
    the programs that read it, such as `__color__`; it is no Markdown.
    """
    if len(text) > MAX_REPLY_CHARS:
        return []
    text = _GAPS.sub("\n\n", text.strip()) if "\n\n\n" in text else text.strip()
    if text.startswith("{") and (found := _strict(text)) is not None:
        texts = found if _is_unmarked(text) else [_bare(one) for one in found]
        return _tidied(texts, syntax)
    bare = _bare(text)
    if found := prompts_of_json(bare):
        return _tidied([_bare(one) for one in found], syntax)
    aside = put_aside(_without_other_json(bare))
    for read in (fenced_texts, tagged_texts, arguments_in, options_in):
        if found := read(aside.text):
            whole = (aside.restored(one) for one in found)
            return _tidied([_bare(one) for one in whole if not _is_json(one, syntax)], syntax)
    # JSON in which no rung found a prompt is not a prompt itself, whatever stands around it.
    return [
        one for one in _tidied([aside.restored(aside.text)], syntax) if not _is_json(one, syntax)
    ]


def _without_other_json(text: str) -> str:
    """Return a text without JSON behind it that holds no prompt, such as a list of changes."""
    found = _JSON_BEHIND.search(text) if text.endswith(("}", "```")) else None
    return text[: found.start()] if found and is_long(text[: found.start()]) else text


def _is_json(text: str, syntax: Sequence[str]) -> bool:
    bare = text.strip()
    return _LEFTOVER_JSON.search(bare) is not None and not bare.startswith(tuple(syntax))


def _tidied(found: Sequence[str], syntax: Sequence[str]) -> Sequence[str]:
    """Return the texts without what stands around them, each once; empty ones are left out."""
    asides = map(put_aside, found)
    texts = (aside.restored(_tidy(aside.text, syntax)) for aside in asides)
    return list(dict.fromkeys(filter(None, texts)))


def _bare(text: str) -> str:
    has_signs = any(map(text.__contains__, _MARK_SIGNS))
    has_signs = has_signs or any(map(lowered(text).__contains__, _THOUGHT_SIGNS))
    return without_marks(text) if has_signs else text.strip()


def _is_unmarked(text: str) -> bool:
    """Whether no text in a reply that is JSON has a mark of a reply's format.

    Where it escapes nothing but quotation marks, its texts have no other signs than it has itself:
    they are not looked for again.
    """
    return (
        text.count("\\") == text.count('\\"')
        and not any(map(text.__contains__, _MARKS_IN_JSON))
        and not any(map(lowered(text).__contains__, _SIGNS_IN_JSON))
    )


def _strict(text: str) -> Sequence[str] | None:
    try:
        return known_prompts(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _tidy(text: str, syntax: Sequence[str]) -> str:
    """Remove what stands around a prompt and Markdown, and join the text into one paragraph."""
    text = text.strip()
    steps: tuple[Callable[[str], str], ...] = (
        lambda t: without_tables(t) if "|" in t and "\n" in t else t,
        lambda t: _unwrapped(without_markup(t)) if any(map(t.__contains__, "<\\=")) else t,
        section_of,
        lambda t: without_comments(t) if "\n" in t else t,
        lambda t: ASIDE.sub("", t) if _may_have_aside(t) else t,
        _joined_items,
        lambda t: _without_markdown(t, syntax),
        clean,
        _unquoted,
    )
    for step in steps:
        text = step(text)
    return text


def _unwrapped(text: str) -> str:
    text = LONE_TAG.sub("", text)
    wrapped = _WRAPPED.match(text)
    return (wrapped[1] or wrapped[3]) if wrapped else text


def _may_have_aside(text: str) -> bool:
    """Whether a note can stand at the end: to know that takes a tenth of the time of a search."""
    if text.rstrip().endswith(_ASIDE_ENDS):
        return True
    has_dash = any(map(text.__contains__, "—–-"))
    return has_dash and _I_BEHIND_DASH.search(text) is not None


def _joined_items(text: str) -> str:
    """Join the items of a list, with commas where they end without a mark."""
    if "\n" not in text and not _LIST_ITEM.match(text):
        return text
    items = _LIST_ITEM.findall(text)
    if len(items) < 2:
        return _LIST_ITEM.sub(r"\1", text) if items and not text.lstrip()[:1].isdigit() else text

    def joined(item: re.Match[str]) -> str:
        said = item[1].rstrip(" *_")
        is_last = not text[item.end() :].strip()
        if is_last or said[-1:] in _SENTENCE_END:
            return item[1]
        return f"{item[1]}{'，' if _HAN_END.search(said) else ','}"

    return _BETWEEN_HAN.sub("，", _LIST_ITEM.sub(joined, text))


def _without_markdown(text: str, syntax: Sequence[str]) -> str:
    if not (text.startswith("-") or any(map(text.__contains__, _MARKDOWN_MARKS))):
        return text
    text = _EMPHASIS.sub(r"\2", text)
    text = _UNDERSCORES.sub(lambda pair: pair[0] if pair[0] in syntax else pair[1], text)
    return without_opening(_MARKDOWN.sub("", text))


def _quoted_at_start(text: str) -> str:
    """Return the quotation at the start of a text if the rest only speaks of it."""
    closing = _QUOTE_PAIRS.get(text[:1], "\0")
    said, _, rest = text[1:].rpartition(closing)
    return f"{text[0]}{said}{closing}" if is_long(said) and speaks(rest) else text


def _unquoted(text: str) -> str:
    """Remove quotes around the whole text, not those of a text that begins and ends with quotes."""
    text = _quoted_at_start(text.removeprefix('""').removesuffix('""') if '"""' in text else text)
    while (closing := _QUOTE_PAIRS.get(text[:1])) and len(text) > 1 and text.endswith(closing):
        inner, opening = text[1:-1], text[0]
        at = inner.find(closing if opening == closing else opening)
        # The next mark opens a quotation of the text's own, or it closes the one at its beginning.
        is_whole = at < 0 or (at > 0 and inner[at - 1] in " (\u3000" and opening == closing)
        if opening != closing:
            is_whole = closing not in inner or (0 <= at < inner.find(closing))
        if not is_whole:
            break
        text = inner.strip()
    return text
