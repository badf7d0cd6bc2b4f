"""Distinguishes English from Chinese, the two languages that have a vocabulary."""

import re

from llm_api.services.prompts.text import (
    ASCII,
    GAP,
    has_no_digits,
    is_plain,
    without_quotes,
    words_of,
)

HAN_SHARE = 0.25  # from here on a text counts as Chinese, and not as one that quotes a Chinese sign
MIN_HAN_SHARE = 0.7  # of a Chinese rewrite's letters, names of the original left aside
_HAN_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ffff]+")
_LETTERS = re.compile(r"[A-Za-z]+")
_LATIN_RUN = re.compile(r"[A-Za-z][A-Za-z0-9'’.\-]*")
# Kana, Hangul, Cyrillic, Arabic, Hebrew, Thai, Devanagari: no letters of either language.
_FOREIGN_RUN = re.compile(
    r"[\u3040-\u30fa\u30fd-\u30ff\uac00-\ud7af\u0400-\u052f\u0590-\u06ff\u0900-\u097f\u0e00-\u0e7f]+"
)
_ANY_WORD = re.compile(r"[^\W\d_]+")
_LETTERS_AND_GAPS = re.sub(r"[^a-z]", " ", ASCII)
# The most frequent little words of English, and of the other European languages together.
_ENGLISH = frozenset(
    re.findall(r"\w+", "the and of with is are its his her from into that this by for at to")
)
_OTHERS = frozenset(
    re.findall(
        r"\w+",
        "el los las una con del por sobre y le les des une du dans avec sur et der die das und ein"
        " eine mit von auf im dem den il lo gli uno della nel che het een van met op uma os com em"
        " ao",
    )
)
_LITTLE = _ENGLISH | {"a", "an", "in", "on"}
_MIN_LITTLE_WORDS = 2
_MIN_SIGNS = 2  # of a word in either language
_HAN_OF_WORD = 2  # signs for a word, as most words have
_MIN_FOREIGN_WORDS = 3  # in a rewrite that we asked for in English


def is_chinese(text: str) -> bool:
    """Whether a text is written in Chinese, quotations left aside."""
    if text.isascii():
        return False
    bare = without_quotes(text)
    if not bare.replace(GAP.strip(), "").strip(" ,.，。、"):
        bare = text
    han, latin = _count(_HAN_RUN, bare), _count(_LETTERS, bare)
    return han > HAN_SHARE * (han + latin) and not _is_english_first(bare, han)


def _is_english_first(bare: str, han: int) -> bool:
    """Whether a text begins with an English sentence, of more words than the Chinese behind it."""
    words = _LETTERS.findall(bare.lstrip())
    little = sum(word.casefold() in _LITTLE for word in words)
    begins = _LETTERS.match(bare.lstrip()) is not None
    return begins and little >= _MIN_LITTLE_WORDS and len(words) * _HAN_OF_WORD > han


def other_language(rewrite: str, language: str, original: str) -> str | None:
    """Return the other language if a rewrite is in it, and its original in both.

    Args:
        rewrite: the text.
        language: that of the original, `en` or `zh`.
        original: the prompt.
    """
    if original.isascii():
        return None
    bare = without_quotes(original)
    longest = max(map(len, _LETTERS.findall(bare)), default=0)
    if min(longest, _count(_HAN_RUN, bare)) < _MIN_SIGNS:
        return None
    other = "zh" if language == "en" else "en"
    is_other = not is_written_in(rewrite, language, original)
    return other if is_other and is_written_in(rewrite, other, original) else None


def _count(run: re.Pattern[str], text: str) -> int:
    """Count the letters of all runs: there are far fewer runs than letters."""
    return sum(map(len, run.findall(text)))


def is_written_in(rewrite: str, language: str, original: str) -> bool:
    """Whether a rewrite is in one language (`en` or `zh`) throughout, outside of quotations.

    Words of the original may stay: a name in the other language, a sign's text.
    """
    bare = without_quotes(rewrite)
    if is_plain(bare) and language == "en":
        if has_no_digits(bare) and _OTHERS.isdisjoint(words_of(rewrite)):
            return True  # words that other checks need, too: they have all that are left of them
        return not _is_other_latin(bare) or _is_other_latin(original)
    if _FOREIGN_RUN.search(bare):
        bare = _new(_FOREIGN_RUN, bare, original)
        if _FOREIGN_RUN.search(bare):
            return False
    if language == "zh":
        bare = _new(_LATIN_RUN, bare, original)
        han, latin = _count(_HAN_RUN, bare), _count(_LETTERS, bare)
        return han > 0 and han >= MIN_HAN_SHARE * (han + latin)
    if _HAN_RUN.search(_new(_HAN_RUN, bare, original)):
        return False
    return not _is_other_latin(bare) or _is_other_latin(original)


def _new(run: re.Pattern[str], text: str, original: str) -> str:
    """Return a text without those runs of letters that occur in the original."""
    return run.sub(lambda found: " " if found[0] in original else found[0], text)


def _is_other_latin(text: str) -> bool:
    """Whether a text has more little words of other European languages than English ones."""
    if is_plain(text):  # translated and split, it takes a third of the time of a pattern
        words = text.replace(GAP.strip(), " ").lower().translate(_LETTERS_AND_GAPS).split()
    else:
        words = _ANY_WORD.findall(text.casefold())
    if _OTHERS.isdisjoint(words):
        return False
    others = sum(map(_OTHERS.__contains__, words))
    return others >= _MIN_FOREIGN_WORDS and others > sum(map(_ENGLISH.__contains__, words))
