"""Removes the markup that a reply has around its prompt: HTML, tags of tools, brackets, TeX.

Inside of a prompt markup stays, and the checks refuse it.
"""

import re
from collections.abc import Iterator, Sequence

_HTML = (
    r"(?:p|div|span|b|strong|i|em|u|h[1-6]|section|article|main|html|body|blockquote|pre|code|ul"
    r"|ol|li|center|font|small)"
)
# A block, or a label in bold letters; anything else that begins so is a prompt with markup.
_BEGINS_AS_HTML = re.compile(
    r"\s*<(?:(?:p|div|h[1-6]|section|article|main|html|body|blockquote|pre|ul|ol|center)"
    r"(?:\s[^<>\n]{0,200})?>|(b|strong|i|em|u|span)>[^<>\n]{1,40}(?:[:：]\s*</\1>"
    r"|</\1>\s*(?:[:：]|<br|\n)))",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s*/?>|</(?:h[1-6]|p|div|li|section)>", re.IGNORECASE)
_HTML_TAG = re.compile(rf"</?{_HTML}(?:\s[^<>\n]{{0,200}})?>", re.IGNORECASE)
# Arguments of a tool, as Qwen's and Anthropic's templates write them.
_ARGUMENT = re.compile(
    r"<(?:parameter|param|arg|argument|field|value)(?:=|\s+name=)[\"']?(?!neg|orig|user|input)[\w\-]{0,30}(?:prompt|text|rewrit|output)"
    r"[\w\-]{0,12}[\"']?>(.*?)"
    r"</(?:parameter|param|arg|argument|field|value)>",
    re.DOTALL | re.IGNORECASE,
)
# Brackets, which are closed by the same name.
_BRACKET = re.compile(r"\[(?!NEG|ORIG|USER|INPUT|neg|orig|user|input)([A-Za-z_ ]{4,30})\]")
_TEX = re.compile(
    r"\A\s*(?:\${1,2}|\\\[|\\\()?\s*\\(?:text\w{0,4}|boxed)\{(.*)\}\s*(?:\${1,2}|\\\]|\\\))?\s*\Z",
    re.DOTALL,
)
_COMMENT = re.compile(r"<!--.{0,400}?-->", re.DOTALL)
# A program that sets a prompt.
_ASSIGNED = re.compile(
    r"\A\s*(?:const|let|var|string) \w{0,30}prompt\w{0,12} ?= ?([\"'`])(.*)\1;?\s*\Z",
    re.DOTALL | re.IGNORECASE,
)
# Tags at the end that nothing has opened, each in a line of its own.
_STRAY_ENDS = re.compile(r"(?:\n[ \t]*</[A-Za-z_][\w\-]{0,40}>[ \t]*)+\Z")


def without_markup(text: str) -> str:
    """Return a reply without the markup around what it says."""
    if "\\" in text and (tex := _TEX.match(text)):
        text = tex[1]
    if "=" in text and (assigned := _ASSIGNED.match(text)):
        text = assigned[2]
    if "<" not in text:
        return text
    text = _COMMENT.sub("", text).strip() if "<!--" in text else text
    if (stray := _STRAY_ENDS.search(text)) and "<" not in text[: stray.start()]:
        text = text[: stray.start()]
    if _BEGINS_AS_HTML.match(text):
        text = _HTML_TAG.sub("", _BREAK.sub("\n", text)).strip()
    return text


def arguments_in(text: str) -> Sequence[str]:
    """Return the texts of a reply's calls of tools, and of its brackets that are closed by name."""
    if "</" in text and (found := _ARGUMENT.findall(text)):
        return [one for one in found if one.strip()]
    return list(_bracketed(text)) if "[/" in text else []


def _bracketed(text: str) -> Iterator[str]:
    """Yield what stands in brackets that are closed by name; no pattern, which would take long."""
    at = 0
    for opening in _BRACKET.finditer(text):
        end = text.find(f"[/{opening[1]}]", opening.end())
        if opening.start() >= at and end >= 0 and (inner := text[opening.end() : end].strip()):
            yield inner
            at = end
