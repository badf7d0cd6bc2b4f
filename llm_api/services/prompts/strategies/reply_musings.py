"""Removes what a model says to itself in front of a prompt, and the original with an arrow.

No mark of its format says where that ends.
"""

import re

from llm_api.services.prompts.strategies.reply_comments import is_long, speaks

# What the model does, told before it does it: "[Thinking: add light]", "*thinks about the light*".
_STAGE_LINE = re.compile(r"\s*[\[(*>][^\n]{0,3}think[^\n]{0,200}\n+", re.IGNORECASE)
# A first paragraph that thinks, with a label: "Thinking: the cat needs light."
_TOLD_FIRST = re.compile(
    r"\W*(?:thinking|thoughts?|reasoning|analysis|(?:internal |my |planning )?notes|plan|思考|分析"
    r"|推理)[^\n:：]{0,20}[:：][ \t]*\S[^\n]*\n\s*\n",
    re.IGNORECASE,
)
_MUSES = re.compile(
    r"\W*(?:(?:okay|ok|alright|hmm|so)[,.]? |好的[，,]\s*)?(?:the user (?:wants|ask(?:s|ed)|is|has"
    r"|gave"
    r"|provided)"
    r"|(?:we|i) (?:need|have|must|should|will|could) (?:to )?(?:write|rewrite|produce|create|answer"
    r"|output|return|keep|follow|make|respond|generate|optimi[sz]e|craft|provide|think|add"
    r"|expand)\b|let me (?:think|start|see|analy[sz]e)"
    r"|first,? (?:i|let|we)\b|用户(?:想|要|希望|需要)|我(?:需要|得先|应该|要先)|首先"
    r"|thinking process:"
    r"|(?:my |the )?(?:thought process|thinking)\W{0,4}[:：\n])",
    re.IGNORECASE,
)
# The end of what it says to itself: a line that announces the prompt.
_ANNOUNCED = re.compile(
    r"[^\n]*\bhere(?:['’]s| is| are)\b[^\n:：]{0,120}[:：][ \t*_]*\n\s*"
    r"|[^\n]*(?:以下|下面)[是为][^\n:：]{0,60}[:：]\s*\n\s*",
    re.IGNORECASE,
)

# From the original to the prompt: behind a quotation, or alone in its line.
_SIGN = r"(?:→|[=\-]+>|⟶|⇒|↓|⬇\ufe0f?)"
_ARROW = re.compile(
    rf"(?:[^\n]{{1,300}}\n\s*{_SIGN}[ \t]*\n|[\"“][^\"”\n]{{1,300}}[\"”]\s*{_SIGN})\s*"
)
# Both in one line without marks: what has become of the original has its words.
_ARROW_BETWEEN = re.compile(
    r"(?P<before>[^\n→⟶⇒]{1,300}?)\s(?:→|=+>|-+>|⟶|⇒)\s+(?=[^\n→⟶⇒]+(?:\n|\Z))"
)
_WORD = re.compile(r"\w{3,}")
# A label that may be one of several, and the sign of another.
_LONE_PART = re.compile(
    r"\W{0,4}(?:scene|image|picture|video)(?: 1)?[*_]{0,2}:[*_]{0,2}\s+", re.IGNORECASE
)
_OTHER_PART = re.compile(r"\b[A-Za-z]+(?: \d{1,2})?:\s")


def muses(text: str) -> bool:
    """Whether a text begins as thoughts do."""
    return _MUSES.match(text) is not None


def without_stage(text: str) -> str:
    """Return a text without the first lines in which the model tells what it thinks."""
    if "\n" not in text:
        return text
    text = _STAGE_LINE.sub("", text, count=1) if _STAGE_LINE.match(text) else text
    told = _TOLD_FIRST.match(text)
    if told and is_long(text[told.end() :]) and not speaks(text[told.end() :]):
        text = text[told.end() :]
    return text


def behind_musings(text: str) -> str:
    """Return what stands behind a rule or a line that ends thoughts; empty without one."""
    _, rule, rest = text.rpartition("\n---\n")
    if rule and is_long(rest) and not _MUSES.match(rest):
        return rest
    announced = _ANNOUNCED.match(text)
    rest = text[announced.end() :] if announced else ""
    return rest if is_long(rest) and not speaks(rest) else ""


def behind_arrow(text: str) -> str:
    """Return what an arrow shows to have become of the original, and no label of its only part."""
    found = _ARROW.match(text)
    between = None if found else _ARROW_BETWEEN.match(text)
    if between is not None and _has_words(text[between.end() :], between["before"]):
        found = between
    text = text[found.end() :] if found and is_long(text[found.end() :]) else text
    part = _LONE_PART.match(text)
    is_lone = part is not None and not _OTHER_PART.search(text, part.end())
    return text[part.end() :] if part and is_lone else text


def _has_words(text: str, original: str) -> bool:
    words, said = _WORD.findall(original.casefold()), text.casefold()
    return bool(words) and all(word in said for word in words)
