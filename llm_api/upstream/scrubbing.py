"""Takes out of an upstream's words what is none of a caller's business.

A refusal such as "temperature must be less than 2" helps whoever sent the parameter, but vendors
also write keys, account and endpoint ids, addresses and paths into such texts. So words are passed
on only if they look like words or small numbers, and a text about accounts is not passed on at all.
"""

import re

_MAX_CHARS = 300
_CUT_OUT = "[…]"
# Texts about these name the operator's things, whatever they look like.
_DELICATE = re.compile(
    r"account|organi[sz]ation|tenant|workspace|project|endpoint|deployment|api.?key|credential"
    r"|token_?id|user_?id|billing|账[户号]|密钥|https?:",
    re.IGNORECASE,
)
# A word without digits, a name such as messages[0].role, or a number of up to seven digits.
_LETTERS = r"[^\W\d]+"
_SAFE = re.compile(
    rf"{_LETTERS}(?:[.\-']{_LETTERS}|\[\d{{0,4}}\])*|[-+]?\d{{1,7}}(?:\.\d{{1,4}})?|", re.UNICODE
)
_EDGES = "\"'`“”‘’()[]{}<>,;:.!?=，。：；！？（）「」《》*…"
_MAX_WORD = 40


def scrubbed(text: str) -> str:
    """Return what may be passed on of an upstream's message, empty where nothing may."""
    words = " ".join(text.split())
    if not words or _DELICATE.search(words):
        return ""
    shown = " ".join(_shown(word) for word in words.split(" "))
    shown = re.sub(rf"{re.escape(_CUT_OUT)}(?: {re.escape(_CUT_OUT)})+", _CUT_OUT, shown)
    if not re.search(_LETTERS, shown.replace(_CUT_OUT, "")):
        return ""
    return shown if len(shown) <= _MAX_CHARS else shown[: _MAX_CHARS - 1].rstrip() + "…"


def _shown(word: str) -> str:
    # Alternatives such as `text|json_object` and pairs such as `n=3` are judged one by one.
    parts = re.split(r"([|=/,:]+)", word)
    is_safe = all(_is_safe(part) for part in parts[::2]) and word.count("/") < 2
    return word if is_safe else _CUT_OUT


def _is_safe(word: str) -> bool:
    core = word.strip(_EDGES)
    return len(core) <= _MAX_WORD and core.isprintable() and _SAFE.fullmatch(core) is not None
