"""Finds prompts by how a reply is laid out: in fences, tags, tables, or as a list of options."""

import re
from collections.abc import Sequence

from llm_api.services.prompts.strategies.reply_comments import is_long, speaks
from llm_api.services.prompts.strategies.reply_sections import ends_with_label, is_label

_NUMBER = r"(?:[1-9]|[A-F]\b|[一二三四五六]|one\b|two\b|three\b|four\b)"
_FRONT = r"^[ \t]*(?:[-*•>]\s+)?[^\w\n\"“”'‘’「『《<{}()]{0,12}"
_ORDINAL = r"(?:first|second|third|fourth|last|第[一二三四][个种]?)"
# "**Option 1 (Cozy):**", "### Version B", and the same in Chinese.
_NAMED = re.compile(
    rf"{_FRONT}(?:(?:option|version|variation|variant|alternative|prompt|choice|candidate|idea|take"
    r"|concept|opción|variante|вариант)[ \t]*[#№]?[ \t]*"
    rf"|(?:方案|版本|选项|选择|备选|示例|提示词|オプション|案"
    rf"|옵션)[ \t]*){_NUMBER}(?![.,]?\d)[^\n:：\"“]{{0,60}}"
    r"(?:[:：][*_]{0,3}|$)"
    rf"|{_FRONT}{_ORDINAL}[ \t]*(?:option|version|variation|prompt|choice|版本?"
    rf"|方案)[^\n:：\"“]{{0,40}}[:：][*_]{{0,3}}",
    re.IGNORECASE | re.MULTILINE,
)
# The same by any other name, but those of a film's parts.
_WORDED = re.compile(
    rf"^[ \t]*[*_#]{{0,4}} ?(?!shot|scene|frame|clip|step|cut|panel|page|part|beat|image|act)"
    rf"[A-Za-z]{{3,20}} {_NUMBER}[*_]{{0,2}}[ \t]*[:—–][*_]{{0,2}}[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_SHORT_TITLE = re.compile(r"\A[A-Z][\w'’]{1,20}(?: [\w'’&]{1,20}){0,2} ?[—–:]\s+")
# Titles of paragraphs, which may be those of versions.
_TITLED = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+[^\n]{1,60}|\*\*[^*\n]{1,60}\*\*)[ \t]*$", re.MULTILINE
)
_NUMBERED = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+)?[*_]{0,2}(?:(\d)[.)、]|([A-F])[.)])[*_]{0,2}[ \t]+", re.MULTILINE
)
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+", re.MULTILINE)
_OR = re.compile(
    r"\n[ \t]*[*_\-]*(?:or|或者?|または|oder|o|ou)[*_\-]*[ \t]*:?[ \t]*\n", re.IGNORECASE
)
_RULE = re.compile(r"\n[ \t]*(?:-{3,}|\*{3,}|={3,})[ \t]*\n")
_MAX_TITLE_WORDS = 8
_ITEM_TITLE = re.compile(r"\A\s*\*\*[^*\n]{1,60}\*\*\s*[:：]?\s*|\A\s*\*\*[^*\n]{1,60}[:：]\*\*\s*")
_TAKE_OF_FILM = re.compile(
    r"\W*(?:shot|scene|frame|clip|step|cut|wide|close|medium|镜头|场景|步骤|画面|\[?\d)|\[\d",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z]{4,}")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_MIN_SHARED, _MIN_SHARED_HAN = 2, 2
# In front of a line that is one of several: "(1)", "#2:", "iii.", a digit in a box.
_MARKER = re.compile(
    r"\A\s*[(\[#【]?(?:\d{1,2}|[ivx]{1,4}(?=[.)])|[A-F](?=[.):\]]))[.)、\]:】\ufe0f\u20e3]+:?\s*"
    r"|\A\s*[\U0001f100-\U0001f19a\u2460-\u24ff\u2776-\u2793]\ufe0f?[ \t]*"
    rf"|\A\s*{_ORDINAL}[ \t]*[:：]\s*"
    r"|\A\s*[-*•]\s+",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"\W*(?:(?:then|next|finally|after|meanwhile|later|as|while|the camera|its?)\b"
    r"|然后|接着|最后|随后)",
    re.IGNORECASE,
)
_HEAD_WORDS, _HEAD_CHARS = 14, 90
_MAX_CHARS_BEFORE = 400
_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})([A-Za-z]*)[ \t]*\n?(.*?)(?:\n?[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE
)

_NAME = (
    r"[\w\-]{0,30}(?:prompt|answer|output|response|result|rewrit\w{0,3}|text|option|version"
    r"|variation|variant|candidate|final|improved|enhanced|caption)"
)
_ATTRIBUTES = r"(?:\s[^<>\n]{0,200})?"
_TAG = re.compile(
    rf"<(?!neg|orig|user|input)({_NAME}){_ATTRIBUTES}>(.*?)</\1>", re.DOTALL | re.IGNORECASE
)
LONE_TAG = re.compile(rf"\A\s*<{_NAME}{_ATTRIBUTES}>|</{_NAME}>\s*\Z", re.IGNORECASE)
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*\Z")
_DIVIDER = re.compile(r"[ \t]*\|(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*")


def options_in(text: str) -> Sequence[str] | None:
    """Return the texts of several options, None where a reply offers no choice."""
    if "\n" not in text:
        return None
    if "|" in text and (rows := _rows_of_options(text)):
        return rows
    for pattern in (_NAMED, _WORDED, _NUMBERED, _BULLET, _TITLED):
        found = list(pattern.finditer(text))
        if len(found) > 1 and len(text[: found[0].start()]) <= _MAX_CHARS_BEFORE:
            items = _items(text, found)
            is_clear = pattern is _NAMED or _are_options(items)
            if is_clear and _counts_up(found) and not any(is_label(one[0]) for one in found[1:]):
                return items
    parts = _OR.split(text)
    if len(parts) > 1 and all(map(is_long, parts)):
        return parts
    parts = [part for part in _RULE.split(text) if part.strip()]
    return parts if len(parts) > 1 and _are_options(parts) else _lines_alike(text)


def _lines_alike(text: str) -> Sequence[str] | None:
    """Return the long lines of a text if each begins anew with the same things."""
    lines = [_MARKER.sub("", _ITEM_TITLE.sub("", line)).strip() for line in text.splitlines()]
    lines = [line for line in lines if is_long(line) and not _is_about(line)]
    heads = [" ".join(line.split()[:_HEAD_WORDS])[:_HEAD_CHARS] for line in lines]
    if (
        len(lines) < 2
        or any(map(_GOES_ON.match, heads[1:]))
        or any(map(_TAKE_OF_FILM.match, lines))
    ):
        return None
    return lines if _share_things(heads) else None


def _is_about(line: str) -> bool:
    """Whether a line speaks of the prompts, or announces one."""
    return speaks(line) or line.rstrip(" *_").endswith((":", "："))


def fenced_texts(text: str) -> Sequence[str]:
    """Return what stands in the fences of a reply that can be a prompt.

    Where one of them stands under the label of a prompt, it is the one.
    """
    if "```" not in text and "~~~" not in text:
        return []
    labeled: list[str] = []
    others: list[str] = []
    for found in _FENCE.finditer(text):
        told = ends_with_label(text[: found.start()])
        if told is not False and found[3].strip():
            (labeled if told else others).append(found[3])
    return labeled or others


def tagged_texts(text: str) -> Sequence[str]:
    """Return what stands in a reply's tags that are named like an answer, the inmost of them."""
    if "</" not in text:
        return []
    found = [match[2] for match in _TAG.finditer(text) if match[2].strip()]
    return [inner for one in found for inner in (tagged_texts(one) or [one])]


def without_tables(text: str) -> str:
    """Return a text without its tables, or the cell of a table that is the prompt."""
    lines = text.splitlines()
    rows = [_cells(line) for line in lines if _ROW.match(line)]
    if len(rows) < 2 or not any(map(_DIVIDER.fullmatch, lines)):
        return text
    found = next(iter(_cells_of_prompts(rows)), "")
    return found or "\n".join(line for line in lines if not _ROW.match(line))


def _cells(line: str) -> Sequence[str]:
    return [cell.strip(" *") for cell in line.strip().strip("|").split("|")]


def _cells_of_prompts(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """Return the cell beside the label of a prompt, or the cells under it."""
    for row in rows:
        for at, cell in enumerate(row[:-1]):
            if is_label(cell) and is_long(row[at + 1]):
                return [row[at + 1]]
    for at, cell in enumerate(rows[0]):
        below = [row[at] for row in rows[1:] if len(row) > at and is_long(row[at])]
        if is_label(cell) and below:
            return below
    return []


def _rows_of_options(text: str) -> Sequence[str]:
    """Return the prompts of a table that has one in each of its rows."""
    lines = text.splitlines()
    rows = [_cells(line) for line in lines if _ROW.match(line)]
    if len(rows) < 2 or not any(map(_DIVIDER.fullmatch, lines)):
        return []
    found = _cells_of_prompts(rows)
    return found if len(found) > 1 and _share_things(found) else []


def _items(text: str, found: Sequence[re.Match[str]]) -> Sequence[str]:
    ends = [*(one.start() for one in found[1:]), len(text)]
    items = (text[one.end() : end] for one, end in zip(found, ends, strict=True))
    texts = [_without_title(_ITEM_TITLE.sub("", item).strip()) for item in items]
    has_titles = all(map(_SHORT_TITLE.match, texts))
    return [_SHORT_TITLE.sub("", text) for text in texts] if has_titles else texts


def _without_title(item: str) -> str:
    title, _, rest = item.partition("\n")
    is_title = len(title.split()) <= _MAX_TITLE_WORDS and title.rstrip(" *_")[-1:] not in ".。!?"
    return rest.strip() if is_title and is_long(rest) else item


def _counts_up(found: Sequence[re.Match[str]]) -> bool:
    numbers = [one[1] or one[2] for one in found if one.re is _NUMBERED]
    return "".join(numbers) in "123456789" or "".join(numbers) in "ABCDEF"


def _are_options(items: Sequence[str]) -> bool:
    """Whether the items of a list are prompts for the same: each whole, and of the same things."""
    first = [item.partition("\n\n")[0] for item in items]
    if not all(map(is_long, first)) or any(map(_TAKE_OF_FILM.match, first)):
        return False
    if any(map(speaks, first)):
        return False
    return _share_things(first)


def _share_things(texts: Sequence[str]) -> bool:
    words = set.intersection(*(set(_WORD.findall(text.lower())) for text in texts))
    han = set.intersection(*(set(_HAN.findall(text)) for text in texts))
    return len(words) >= _MIN_SHARED or len(han) >= _MIN_SHARED_HAN
