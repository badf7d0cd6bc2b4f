"""Takes out of an upstream's words what is none of a caller's business.

A refusal such as "temperature must be less than 2" helps the caller that sent it, but vendors
also write keys, account and endpoint ids, addresses and paths into such texts. So words are passed
on only if they look like words, names of fields or small numbers, and a text about accounts is not
passed on at all.
"""

import re

_MAX_CHARS = 300
_READ_CHARS = 1_000
_MAX_WORD = 40
CUT_OUT = "[…]"
# Texts about these name the operator's things, whatever they look like.
_DELICATE = re.compile(
    r"account|organi[sz]ation|tenant|workspace|project|endpoint|deployment|api.?key|credential"
    r"|token_?id|user_?id|billing|账[户号]|密钥|\bhost\b|lookup|\bdial\b",
    re.IGNORECASE,
)
# What vendors begin their keys and ids with.
_SECRET = re.compile(r"(sk|ak|pk|rk|ep|bot|gsk|hf|xox[a-z]?)[-_]|A[KS]IA|eyJ|AIza|gh[pousr]_")
_LETTERS = r"[^\W\d_]+"
_NAME = rf"{_LETTERS}(?:_{_LETTERS})*"
# A field such as messages[0].role or response_format.type, by its underline or its bracket: with
# dots alone it would be the name of a host.
_FIELD = rf"(?=\S*[_\[]){_NAME}(?:\[\d{{0,4}}\]|\.{_NAME})*"
_SAFE = re.compile(
    rf"|{_NAME}(?:['’-]{_LETTERS})*|{_FIELD}|[-+]?\d{{1,7}}(?:\.\d{{1,4}})?%?", re.UNICODE
)
_EDGES = "\"'`“”‘’()[]{}<>;.!?*…"
# Signs between two things that are judged each for itself; a slash joins the parts of a path.
_SCRIPTS = re.compile(r"(?<=[\u4e00-\u9fff])(?=[!-~])|(?<=[!-~])(?=[\u4e00-\u9fff])")
_JOINTS = re.compile(r"([|=,:，。：；！？、（）「」《》“”]+)")


def redacted(text: str) -> str:
    """Return what may be passed on of an upstream's message, empty where nothing may."""
    kept = "" if _DELICATE.search(_first_words(text)) else redacted_words(text)
    return kept if len(kept) <= _MAX_CHARS else kept[: _MAX_CHARS - 1].rstrip() + "…"


def redacted_words(text: str) -> str:
    """Return the beginning of a text without keys, ids and addresses, whatever it is about."""
    words = _first_words(text)
    if not words or not words.isprintable():
        return ""
    kept = " ".join(_redacted_word(word) for word in words.split(" "))
    kept = re.sub(rf"{re.escape(CUT_OUT)}(?: {re.escape(CUT_OUT)})+", CUT_OUT, kept)
    if not re.search(_LETTERS, kept.replace(CUT_OUT, "")):
        return ""
    return kept


def _first_words(text: str) -> str:
    """Return the words of a text on one line, and of a long one whole words of its beginning."""
    words = text[:_READ_CHARS].split()
    return " ".join(words if len(text) <= _READ_CHARS else words[:-1])


def _redacted_word(word: str) -> str:
    # Chinese has no spaces between its words and others.
    parts = [part for run in _SCRIPTS.split(word) for part in _JOINTS.split(run)[::2]]
    is_safe = all(map(_is_safe, parts))
    return word if is_safe else CUT_OUT


def _is_safe(word: str) -> bool:
    core = word.strip(_EDGES) if not word.endswith("]") else word.strip(_EDGES.replace("]", ""))
    if _SECRET.match(core) or (len(core) > _MAX_WORD and core.isascii()):
        return False
    return _SAFE.fullmatch(core) is not None or _SAFE.fullmatch(core.strip("[]")) is not None
