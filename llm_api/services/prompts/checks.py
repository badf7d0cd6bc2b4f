"""Decides whether a rewrite may be given to the user, and knows what of the original must stay."""

import re
from collections.abc import Sequence

# Text to be drawn. A single quote is also an apostrophe, so it counts only at the edges of words.
_QUOTED = re.compile(
    r'"([^"\n]+)"|“([^”\n]+)”|「([^」\n]+)」|『([^』\n]+)』|《([^》\n]+)》|(?<!\w)\'([^\'\n]+)\'(?!\w)'
)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_REFUSAL = re.compile(
    r"\A\s*(?:i['’]?m sorry|i am sorry|sorry[,.]|i can(?:['’]|no)t|as an ai|"
    r"(?:很|非常)?抱歉|对不起|作为一个?AI)",
    re.IGNORECASE,
)
_RESIDUE = re.compile(r"optimized_prompt|add_details|</?think|```")
_HAN_SHARE = 0.25  # from here on a text counts as Chinese, and not one that quotes a Chinese sign
_MAX_CHARS = 6_000
_CLARITY_GROWTH = 1.3
_CLARITY_SLACK = 80


def is_chinese(text: str) -> bool:
    """Whether a text is written in Chinese, what stands in quotes left aside."""
    bare = _QUOTED.sub("", text) or text
    han, latin = len(_HAN.findall(bare)), len(_LATIN.findall(bare))
    return han > _HAN_SHARE * (han + latin)


def quoted_texts(text: str) -> Sequence[str]:
    """Return what stands in quotation marks, without them."""
    return [next(filter(None, groups)) for groups in _QUOTED.findall(text)]


def what_is_wrong(original: str, rewrite: str, *, may_add_details: bool) -> str | None:
    """Return why a rewrite cannot be used, as the rest of a sentence; None if it can."""
    limit = _MAX_CHARS
    if not may_add_details:
        limit = round(len(original) * _CLARITY_GROWTH) + _CLARITY_SLACK
    if not rewrite:
        return "held no prompt"
    if _REFUSAL.search(rewrite):
        return "was a refusal"
    if _RESIDUE.search(rewrite):
        return "held more than a prompt"
    if any(quoted not in rewrite for quoted in quoted_texts(original)):
        return "lost text in quotation marks"
    if is_chinese(original) != is_chinese(rewrite):
        return "was in another language"
    if len(rewrite) > limit:
        return "was too long"
    return None
