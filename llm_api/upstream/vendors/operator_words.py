"""What an upstream's error says, for the operator: in the usage row and in the log.

The operator may read what no caller may, such as that an account is unpaid. Keys, addresses and ids
are cut out all the same, as are quotations and whatever stands in the request: rows and logs are
kept, and prompts are not.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from llm_api.upstream.vendors.error_body import VendorError
from llm_api.upstream.vendors.error_rules import unquoted
from llm_api.upstream.vendors.redaction import CUT_OUT, redacted_words

MAX_SAID = 200
# To look for words in more of a request would keep other calls waiting.
_MAX_REQUEST_BYTES = 262_144
_ECHO_WORDS = 3
_TEXTS = frozenset(["content", "input", "prompt", "text"])
_ECHO_CHARS = 6  # of Chinese, which has no spaces
# What stands behind these is a key, however much it looks like a word.
_LABELED = re.compile(
    r"((?:key|token|secret|password|credential|密钥|令牌)\w*\s*(?:provided|received|is)?\s*[:=：]\s*)"
    r"\S+",
    re.IGNORECASE,
)


def operator_words(
    sent: VendorError, secrets: Sequence[str] = (), request: Mapping[str, Any] | None = None
) -> str:
    """Return what an error says, scrubbed, at most 200 characters; empty where nothing is left.

    Args:
        sent: the error.
        secrets: keys that the upstream was called with.
        request: the body that was refused, none of whose words are repeated. None for errors that
            are about the service, as unpaid accounts are.
    """
    text = unquoted(VendorError(sentences=(sent.message,))) or sent.code_words
    for secret in secrets:
        text = text.replace(secret, CUT_OUT)
    words = redacted_words(_LABELED.sub(rf"\1{CUT_OUT}", text)).split()
    if request is not None:
        written = orjson.dumps(request, default=str)
        if len(written) > _MAX_REQUEST_BYTES:
            return ""
        short = _words_of_short_texts(request)
        words = [word for word in words if _bare(word) not in short]
        words = _without_echo(words, written.decode("utf-8", "replace").lower())
    said = " ".join(words)
    return said if len(said) <= MAX_SAID else said[: MAX_SAID - 1].rstrip() + "…"


def _words_of_short_texts(value: Any, name: str = "") -> frozenset[str]:
    """Return the words of texts that are too short for a run of words to be found in them."""
    if isinstance(value, str):
        words = value.split() if name in _TEXTS else []
        return frozenset(map(_bare, words)) if len(words) < _ECHO_WORDS else frozenset()
    if isinstance(value, Mapping):
        inner = [(one, key) for key, one in value.items()]
    else:
        inner = [(one, name) for one in value] if isinstance(value, list | tuple) else []
    return frozenset().union(*(_words_of_short_texts(one, key) for one, key in inner))


def _bare(word: str) -> str:
    return word.lower().strip(".,;:!?")


def _without_echo(words: Sequence[str], written: str) -> list[str]:
    """Leave out each run of words that stands in a request as it is."""
    is_echo = [False] * len(words)
    for position, word in enumerate(words):
        runs = range(0, max(1, len(word) - _ECHO_CHARS + 1), _ECHO_CHARS // 2)
        if not word.isascii() and len(word) >= _ECHO_CHARS:
            is_echo[position] = any(word[at : at + _ECHO_CHARS] in written for at in runs)
    for start in range(len(words) - _ECHO_WORDS + 1):
        end = start + _ECHO_WORDS
        if " ".join(words[start:end]).lower().strip(".,;:!?") in written:
            is_echo[start:end] = [True] * _ECHO_WORDS
    return [word for word, skipped in zip(words, is_echo, strict=True) if not skipped]
