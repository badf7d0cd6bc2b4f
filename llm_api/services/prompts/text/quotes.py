"""Finds the text that stands in quotation marks, in whatever marks people type.

An apostrophe is no quotation mark, an inch mark is none, and marks left open quote nothing.
Every pattern stops at the next mark of its own kind, so that hostile text costs linear time.
"""

import functools
import re
from collections.abc import Sequence

_PAIRS = (
    r"“([^“”\n]++)”",
    r"「([^「」\n]++)」",
    r"『([^『』\n]++)』",
    r"《([^《》\n]++)》",
    r"〈([^〈〉\n]++)〉",
    r"«([^«»\n]++)»",
    r"„([^„“”\n]++)[“”]",
    r"＂([^＂\n]++)＂",
    # Behind a digit it means inches.
    r'"(?<!\d")([^"\n]++)"',
    # Marks that do not match each other, as keyboards with one key for both produce them.
    r"”([^“”\n]++)”",
    r'“([^“”"\n]++)"',
    # Inside, an apostrophe stands between two letters.
    r"‘(?<!\w‘)((?:[^‘’\n]|’(?=\w))++)’(?!\w)",
    r"'(?<![\w']')(?!(?i:\d0s|tis|twas|em|til|cause|n)\b)(?=[^\s'])((?:[^'\n]|(?<=\w)'(?=\w))++)'(?!\w)",
)
# Each begins with its mark, and the case counts: so the search leaps from mark to mark.
_QUOTED = re.compile("|".join(_PAIRS))
MARKS = frozenset("\"'“”‘’„＂「」『』《》〈〉«»")
_KEPT_TEXTS = 16  # every check of a rewrite asks for the same text
GAP = " ¶ "  # stands where a quotation was: neighbors must not read as if they were side by side


def is_plain(text: str) -> bool:
    """Whether a text has nothing but ASCII and gaps."""
    return text.isascii() or text.replace(GAP.strip(), "").isascii()


def find_quotes(text: str) -> Sequence[str]:
    """Return what stands in quotation marks, without them, each text once."""
    return list(_quotes_in(text))


@functools.lru_cache(maxsize=_KEPT_TEXTS)
def _quotes_in(text: str) -> tuple[str, ...]:
    found = (next(filter(None, groups)).strip() for groups in _QUOTED.findall(text))
    return tuple(dict.fromkeys(quote for quote in found if any(map(str.isalnum, quote))))


@functools.lru_cache(maxsize=_KEPT_TEXTS)
def without_quotes(text: str) -> str:
    """Return a text with a gap in place of every quotation."""
    return _QUOTED.sub(GAP, text)


def has_quote(text: str, quote: str) -> bool:
    """Whether a text holds a quotation letter by letter, marks of any kind around it.

    White space may differ. A comma or stop that was put inside of the marks does no harm, and a
    longer quotation may hold the shorter one.
    """
    needle, hay = " ".join(quote.split()), " ".join(text.split())
    return any(needle == one or _holds(one, needle) for one in find_quotes(hay))


def names_quote(text: str, quote: str) -> bool:
    """Whether a text holds a quotation letter by letter, with or without marks."""
    return _holds(" ".join(text.split()), " ".join(quote.split()))


def _holds(text: str, needle: str) -> bool:
    """Whether a text has a needle that is no part of a longer word."""
    at = text.find(needle)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(needle) : at + len(needle) + 1]
        if not (_joins(before, needle[0]) or _joins(needle[-1], after)):
            return True
        at = text.find(needle, at + 1)
    return False


def _joins(left: str, right: str) -> bool:
    """Whether two neighbors are of one word; Chinese has no gaps between its words."""
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()
