"""Operations on plain text that know nothing of what the words mean.

Cleaning (`clean`), comparing (`fold`, `tokens_of`, `stem`), text in quotation marks (`find_quotes`,
`has_quote`), and phrases behind a text (`joined`).

An apostrophe is no quotation mark, an inch mark is none, and marks left open quote nothing. Every
pattern for quotations stops at the next mark of its own kind, so that hostile text costs linear
time.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from itertools import filterfalse
from string import digits
from typing import NamedTuple

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
GAP = " ¶ "  # stands where a quotation was: neighbors must not read as if they were side by side
SENTENCE_STOPS = ".!?。！？…।॥۔؟։።"
ASCII = "".join(map(chr, range(128)))

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
# Zero-width and direction signs, and the tags in which letters can be hidden. The two joiners stay:
# emoji and the scripts of Persia and India need them. Half of a pair of UTF-16 is no sign at all: a
# model's JSON can hold one, and no answer can.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_BESIDE_WORDS = r"'[a-z]{1,2}(?!\w)|\d+(?:[.:/]\d+)*|[^\w\s]"
# Of Chinese it finds whole runs, which are cut afterwards: that takes half the time.
_TOKEN = re.compile(rf"[{HAN}]+|[^\W\d_{HAN}]+(?:'(?<=[^\W\d_{HAN}]n')t(?!\w))?|{_BESIDE_WORDS}")
# The same for a text that has no other signs, and quicker.
_ASCII_TOKEN = re.compile(rf"[A-Za-z]+(?:'(?<=[A-Za-z]n')t(?!\w))?|{_BESIDE_WORDS}")
# Signs that are tokens of their own wherever they stand, as long as there are no digits.
_LONE_MARKS = '!"#$%&()*+,-./:;<=>?@[\\]^`{|}~'
_BESIDE_LONE_MARKS = re.sub(rf"[A-Za-z\s{re.escape(_LONE_MARKS)}]", " ", ASCII)
_ONE_APOSTROPHE = (("’", "'"), ("‘", "'"), ("`", "'"), ("‐", "-"), ("‑", "-"))
# What Chinese is usually written in. It is composed; in half width only its marks change.
_USUAL = re.compile(rf"[ -~{HAN}¶—–“”‘’‐、。《》〈〉「」『』【】…，：；！？（）]*")
_HALF_WIDTH = tuple(zip("…，：；！？（）", ("...", *",:;!?()"), strict=True))
_PAIRS = (
    r"“([^“”\n]++)”",
    r"「([^「」\n]++)」",
    r"『([^『』\n]++)』",
    r"《([^《》\n]++)》",
    r"〈([^〈〉\n]++)〉",
    r"«([^«»\n]++)»",
    r"»([^«»\n]++)«",
    r"„([^„“”\n]++)[“”]",
    r"＂([^＂\n]++)＂",
    # Behind a digit it means inches.
    r'"(?<!\d")([^"\n]++)"',
    # Marks that do not match each other, as keyboards with one key for both produce them.
    r"”([^“”\n]++)”",
    r'“([^“”"\n]++)"',
    # Inside, an apostrophe stands between two letters. Not `++`: with alternatives within, Python
    # 3.11.2 finds nothing then.
    r"‘(?<!\w‘)((?:[^‘’\n]|’(?=\w))+)’(?!\w)",
    r"'(?<![\w']')(?!(?i:\d0s|tis|twas|em|til|cause|n)\b)(?=[^\s'])((?:[^'\n]|(?<=\w)'(?=\w))+)'(?!\w)",
)
# Each begins with its mark, and the case counts: so the search leaps from mark to mark.
_QUOTED = re.compile("|".join(_PAIRS))
MARKS = frozenset("\"'“”‘’„＂「」『』《》〈〉«»")
_CLOSERS = "\"'”’」』》）)"
_INNER_STOP = re.compile(r"[.!?][\"'”’)]*\s+\S|[。！？…][”’」』》）]*\S")
_WORD_RUN = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]+")
_WORDS_AND_GAPS = re.sub(r"[^a-z0-9]", " ", ASCII)
_CACHED_STEMS = 20_000
_CACHED_TEXTS = 16  # every check of a rewrite reads the same few texts


def clean(text: str) -> str:
    """Return a text as one paragraph in Unicode's composed form (NFC), without invisible signs.

    Control signs, terminal escape sequences and hidden letters are removed.
    """
    if (text.isascii() and text.isprintable()) or _USUAL.fullmatch(text):
        return _spaced(text)
    text = _INVISIBLE.sub("", _ESCAPE_SEQUENCE.sub("", text))
    return _spaced(unicodedata.normalize("NFC", _CONTROL.sub(" ", text)))


def _spaced(text: str) -> str:
    """Return a text with a single space for all white space between words."""
    # The only printable white space is a space; a text that is clean is not put together anew.
    if "  " not in text and text.isprintable():
        return text.strip()
    return " ".join(text.split())


def is_plain(text: str) -> bool:
    """Whether a text has nothing but ASCII and gaps."""
    return text.isascii() or text.replace(GAP.strip(), "").isascii()


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def fold(text: str) -> str:
    """Return a text in one form: half width, lower case, no accents, one apostrophe."""
    if is_plain(text):
        return text.replace("`", "'").lower()
    for sign, instead in _ONE_APOSTROPHE:
        text = text.replace(sign, instead)
    usual = _usual(text)
    if usual is not None:
        return usual
    plain = unicodedata.normalize("NFKD", text).casefold()
    if plain.isascii():
        return plain
    return "".join(filterfalse(unicodedata.combining, plain))


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def words_of(text: str) -> list[str]:
    """Split a text into English words and numbers in lower case, and Chinese characters.

    All else is left out; full width reads as half width.
    """
    if text.isascii():  # translated and split, it takes a third of the time of a pattern
        return text.lower().translate(_WORDS_AND_GAPS).split()
    plain = _usual(text)
    if plain is None:
        plain = unicodedata.normalize("NFKC", text).casefold()
    words: list[str] = []
    for run in _WORD_RUN.findall(plain):
        if run.isascii():
            words.append(run)
        else:
            words += run
    return words


# Of ASCII it takes no time; of Chinese, of which nothing changes, as long as a pattern.
lower = functools.lru_cache(maxsize=_CACHED_TEXTS)(str.lower)


def lowered(text: str) -> str:
    """Return a text in lower case, as patterns that ignore case compare it with ASCII letters."""
    if not text.isascii():
        text = text.replace("\u0130", "i").replace("\u0131", "i").replace("\u017f", "s")
    return lower(text)


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def _usual(text: str) -> str | None:
    """Return a usual Chinese text in half width and lower case; None for any other text.

    To decompose a text and to look for accents takes five times as long.
    """
    if not _USUAL.fullmatch(text):
        return None
    for sign, instead in _HALF_WIDTH:
        text = text.replace(sign, instead)
    return lower(text)


def has_no_digits(text: str) -> bool:
    """Whether a text has none of the ten digits; each is looked for in less time than any."""
    return not any(map(text.__contains__, digits))


def tokens_of(folded: str) -> list[str]:
    """Split a folded text into words, Chinese characters, numbers and marks."""
    if is_plain(folded):
        return _plain_tokens(folded)
    tokens: list[str] = []
    for run in _TOKEN.findall(folded):
        if "\u3400" <= run < "\ua000":
            tokens += run
        else:
            tokens.append(run)
    return tokens


def _plain_tokens(folded: str) -> list[str]:
    """Split a text of ASCII and gaps.

    Where every mark is a token of its own, splitting at white space takes a third of the time of
    the pattern.
    """
    if not folded.replace(GAP, " ").translate(_BESIDE_LONE_MARKS).isspace():
        return _ASCII_TOKEN.findall(folded)
    for mark in _LONE_MARKS:
        if mark in folded:  # a text has few of them: without this, half of the time goes into these
            folded = folded.replace(mark, f" {mark} ")
    return folded.split()


@functools.lru_cache(maxsize=_CACHED_STEMS)
def stem(word: str) -> str:
    """Return an English word without the ending of a plural or a verb form, for comparisons."""
    for ending, rest in (
        ("ies", "y"),
        ("ves", "f"),
        ("ing", ""),
        ("ed", ""),
        ("es", ""),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return (word[: -len(ending)] + rest).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


def find_quotes(text: str) -> tuple[str, ...]:
    """Return what stands in quotation marks, without the marks, each text once."""
    return _split(text)[1]


def without_quotes(text: str) -> str:
    """Return a text with a gap in place of every quotation."""
    return _split(text)[0]


class Quotation(NamedTuple):
    """A text in quotation marks, and where these begin and end."""

    text: str
    start: int
    end: int


def quotations(text: str) -> list[Quotation]:
    """Return all quotations in their order: one for each gap that `without_quotes` leaves."""
    found = _QUOTED.finditer(text)
    return [Quotation(one[one.lastindex or 0].strip(), *one.span()) for one in found]


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def _split(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text without its quotations, and these: the pattern is searched once for both."""
    found: list[str] = []

    def leave_out(quotation: re.Match[str]) -> str:
        found.append(quotation[quotation.lastindex or 0].strip())
        return GAP

    bare = _QUOTED.sub(leave_out, text)
    return bare, tuple(dict.fromkeys(quote for quote in found if any(map(str.isalnum, quote))))


@functools.lru_cache(maxsize=_CACHED_TEXTS)
def has_quote(text: str, quote: str) -> bool:
    """Whether a text has a quotation letter by letter, within marks of any kind.

    White space may differ. A comma or stop that was put inside of the marks does no harm, and a
    longer quotation may contain the shorter one.
    """
    needle, hay = _spaced(quote), _spaced(text)
    return any(needle == found or _has(found, needle) for found in find_quotes(hay))


def names_quote(text: str, quote: str) -> bool:
    """Whether a text has a quotation letter by letter, with or without marks."""
    return _has(_spaced(text), _spaced(quote))


def _has(text: str, needle: str) -> bool:
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


def is_ended(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return text.rstrip(_CLOSERS)[-1:] in SENTENCE_STOPS


def has_sentences(text: str) -> bool:
    """Whether a text consists of sentences, and is no fragment."""
    return is_ended(text) or bool(_INNER_STOP.search(text))


def joined(text: str, phrases: Sequence[str], language: str) -> str:
    """Return a text with phrases behind it, in its own sentence if it is a fragment.

    `language` is `en` or `zh` and decides the punctuation.
    """
    if not phrases:
        return text
    comma, stop, gap = ("，", "。", "") if language == "zh" else (", ", ".", " ")
    tail = comma.join(phrases)
    if has_sentences(text):
        end = "" if is_ended(text) else stop
        return f"{text.rstrip(' ,;，；、')}{end}{gap}{tail[:1].upper()}{tail[1:]}{stop}"
    return f"{text.rstrip(',;:，；：、 ')}{comma}{tail}"
