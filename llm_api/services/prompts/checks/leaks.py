"""Sees whether a text holds what no user is to get: our own instructions, markup, hidden cargo."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# A run of so many words of ours is no chance: measured on 3,700 prompts and 1,200 good rewrites.
_RUN_WORDS = 7
_RUN_HAN = 13
# Of a longer text, so much of it in pieces of three words: somebody has altered ours a little.
_PIECE = 3
_SHARE = 0.2
_MIN_PIECES = 12

_WORD = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]")
_MARKUP = re.compile(
    r"</?[a-z!|][^<>]{0,200}>|<\|?\w{2,20}\|?>|!?\[[^\]\n]{0,200}\]\([^)\n]{0,400}\)|```|~~~|\{\s*[\"']\w+[\"']\s*:"
    r"|\[/?(?:inst|sys(?:tem)?|user|assistant)\]|<<\w+>>|^\s*#{1,6}\s|\*\*|&(?:lt|gt|amp|#\d+);"
    r"|(?:^|[.!?。！？]\s*)(?:system|assistant|user|human|系统|助手|用户)\s*[:：]",
    re.IGNORECASE,
)
# Without one of these there can be none.
_SUSPICIOUS = re.compile(r"[<\[`~{#*&:：\\]")
_WWW = re.compile(r"[Ww][Ww]{2}\.")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_-]{24}")
_LONG = 24
_ADDRESS = re.compile(r"(?:https?|ftp|file|javascript|data):\S+|\bwww\.\S+", re.IGNORECASE)
_CARGO = re.compile(
    r"(?=[A-Za-z0-9+/_-]*\d)[A-Za-z0-9+/_-]{24,}={0,2}|(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4}){3,}"
)


class LeakFinder:
    """Knows our own instructions, and finds them in what a model wrote."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Take the instructions."""
        self._pieces = frozenset(piece for text in texts for piece in _pieces(_words(text)))

    def is_ours(self, text: str, original: str) -> bool:
        """Tell whether a text repeats our instructions, what its user wrote himself left aside.

        That is a long run of our words, or a share of short pieces that no chance explains.
        """
        words = _words(text)
        pieces = _pieces(words)
        if self._pieces.isdisjoint(pieces):
            return False
        ours = self._pieces.intersection(pieces).difference(_pieces(_words(original)))
        hits = bytes(map(ours.__contains__, pieces))  # a one for each piece of ours
        longest = max(map(len, hits.split(b"\0")))
        if longest + _PIECE - 1 >= (_RUN_HAN if _is_chinese(words) else _RUN_WORDS):
            return True
        found = sum(hits)
        return found >= _MIN_PIECES and found > _SHARE * len(hits)


def has_markup(text: str, original: str) -> bool:
    """Tell whether a text has markup, addresses or encoded cargo that its original lacks."""
    if not _is_suspicious(text):
        return False
    found = [
        match.group() for pattern in (_MARKUP, _ADDRESS, _CARGO) for match in pattern.finditer(text)
    ]
    return any(part.strip() not in original for part in found)


def _is_suspicious(text: str) -> bool:
    if _SUSPICIOUS.search(text) or _WWW.search(text):
        return True
    return max(map(len, text.split()), default=0) >= _LONG and bool(_LONG_WORD.search(text))


def _words(text: str) -> Sequence[str]:
    if text.isascii():
        return _WORD.findall(text.lower())
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _pieces(words: Sequence[str]) -> Sequence[tuple[str, str, str]]:
    return list(zip(words, words[1:], words[2:], strict=False))


def _is_chinese(words: Sequence[str]) -> bool:
    """Whether most words are single characters: Chinese has more of them than English has words."""
    return sum(map("\u33ff".__lt__, words)) * 2 > len(words)
