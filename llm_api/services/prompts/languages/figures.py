"""Reads the numbers of a text in any language: digits of every script, and words where sure."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from llm_api.services.prompts.languages.tags import languages
from llm_api.services.prompts.text import GAP, without_quotes
from llm_api.services.prompts.vocabulary.words import little_words

_EAST = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
# A number of up to three digits that counts: no size, time, year, weight, ordinal or name.
_DIGITS = re.compile(
    rf"(?<![^\W{_EAST}])(?<![\d.,:/%#$€£¥×+\-]|[@_=&*])(\d{{1,3}})"
    rf"(?![^\W{_EAST}])(?![%°º€$£:/×*+\-]|[.,]\d|\.\s*[^\W\d_]|\s?[x×]\s?\d|\s?°|\s?%)"
    rf"\s?(?=([^\s\d!-/:-@\[-`{{-~]{{1,24}}))"
)
_ANY_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\s\d!-/:-@\[-`{-~¡«»¿“”„‘’‚،؛؟।॥·…—–‐、。「」『』（）！？：；，¶]+")
_UNITS = little_words("requirements_foreign_units") | little_words("languages_units")
# Chinese numerals before a word that counts things, as Japanese and Traditional Chinese have them.
_NUMERALS = "二兩两三四五六七八九十"
_VALUES = {sign: at for at, sign in enumerate("一二三四五六七八九十", start=1)} | {"兩": 2, "两": 2}
_KOREAN = dict(
    zip(["두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열"], range(2, 11), strict=True)
)
_THAI = {"สอง": 2, "สาม": 3, "สี่": 4, "ห้า": 5, "หก": 6, "เจ็ด": 7, "แปด": 8, "เก้า": 9, "สิบ": 10}
_VIETNAMESE = {
    "hai": 2, "ba": 3, "bốn": 4, "năm": 5, "sáu": 6, "bảy": 7, "tám": 8, "chín": 9, "mười": 10,
}  # fmt: skip
# What stands behind a number that counts, so that it is no part of another word.
_COUNTERS = {
    "ja": re.compile(
        rf"(?<![{_NUMERALS}一百千第])([{_NUMERALS}])(?:人|匹|頭|羽|台|枚|冊|個|軒|艘|隻|杯|本|輪|棟|機"
        r"|体|脚|名|尾|株|皿|つ(?!編))"
    ),
    "zh-Hant": re.compile(
        rf"(?<![{_NUMERALS}一百千第])([{_NUMERALS}])(?:隻|個|位|名|條|頭|匹|張|輛|艘|棵|朵|座|把|本|盞|顆|隊"
        r"|架|只|條|支|杯|瓶|株|幅|盤|碗)"
    ),
    "ko": re.compile(
        rf"(?<![가-힣])({'|'.join(_KOREAN)}) ?(?:명|마리|개|대|송이|그루|척|권|사람|채"
        r"|장|켤레|쌍|잔|병|자루|분|줄|조각|척|기|점|필)"
    ),
    "th": re.compile(
        rf"({'|'.join(_THAI)})(?=\s?(?:คน|ตัว|ใบ|คัน|ลำ|ต้น|ดอก|หลัง|เล่ม|ลูก|ชิ้น|แก้ว|ดวง|องค์|เชือก|อัน"
        r"|ผล|ขวด|ถ้วย|เครื่อง|ดอก|ก้อน|ขวบ))"
    ),
    "vi": re.compile(
        rf"(?<!\w)({'|'.join(_VIETNAMESE)}) (?=(?:con|người|chiếc|cái|ngôi|cây|bông|quả"
        r"|cô|chàng|đứa|ông|bà|chú|tòa|bức|ly|cốc|ngọn|lá|tách|quyển|cuốn|em|anh|vị|đóa|ngư|đoá|trái|toà|cậu|thiếu)\b)",
        re.IGNORECASE,
    ),
}
_VALUES_OF: Mapping[str, Mapping[str, int]] = {
    "ja": _VALUES, "zh-Hant": _VALUES, "ko": _KOREAN, "th": _THAI, "vi": _VIETNAMESE,
}  # fmt: skip
# Two of something that comes in twos is no number to hold a translation to, nor a group of so many.
_FEWEST = 2
_MOST_DIGITS = 9


class Figure(NamedTuple):
    """A number that counts something; `words` are the text's, `at` is where it stands in it."""

    value: int
    words: str
    at: int


def figures_in(text: str, language: str) -> list[Figure]:
    """Return the numbers from 2 that count something in a text of a language, where that is sure.

    Two number words side by side are one number that is not known ("twenty five"): both are left
    out.
    """
    bare = without_quotes(text)
    found = [*_in_digits(bare), *_in_words(bare, language), *_with_counters(bare, language)]
    return sorted((one for one in found if one.value >= _FEWEST), key=lambda one: one.at)


def values_in(text: str, language: str) -> frozenset[int]:
    """Return every number that a text may have, be it a year: generously, for comparisons."""
    bare = without_quotes(text)
    numbers = languages()[language].numbers if language in languages() else {}
    runs = _ANY_DIGITS.findall(bare)
    values = {int(run) for run in runs if len(run) <= _MOST_DIGITS}  # longer ones count nothing
    values.update(numbers[word] for word in _words(bare, language) if word in numbers)
    counters = _COUNTERS.get(language)
    if counters is not None:
        known = _VALUES_OF[language]
        values.update(value for word, value in known.items() if word in bare.casefold())
    return frozenset(values)


def knows_words(language: str) -> bool:
    """Whether the words for numbers of a language are known."""
    return language in _COUNTERS or (
        language in languages() and bool(languages()[language].numbers)
    )


def _in_digits(text: str) -> Iterator[Figure]:
    for found in _DIGITS.finditer(text):
        what = found[2].casefold()
        if what in _UNITS or any(what.startswith(unit) for unit in _EASTERN_UNITS):
            continue
        yield Figure(int(found[1]), f"{found[1]} {found[2]}".replace(GAP, " "), found.start())


_EASTERN_UNITS = tuple(unit for unit in _UNITS if re.match(f"[{_EAST}\u0e00-\u0e7f]", unit))


def _in_words(text: str, language: str) -> Iterator[Figure]:
    numbers = languages()[language].numbers if language in languages() else {}
    if not numbers:
        return
    tokens = [(found[0], found.start()) for found in _WORD.finditer(_plain(text, language))]
    values = [numbers.get(word.casefold()) for word, _ in tokens]
    for at, value in enumerate(values):
        around = (values[at - 1] if at else None, values[at + 1] if at + 1 < len(values) else None)
        behind = tokens[at + 1][0] if at + 1 < len(tokens) else ""
        if value is None or any(around) or behind.casefold() in _UNITS:
            continue
        yield Figure(value, f"{tokens[at][0]} {behind}".strip(), tokens[at][1])


def _with_counters(text: str, language: str) -> Iterator[Figure]:
    counters = _COUNTERS.get(language)
    if counters is None:
        return
    known = _VALUES_OF[language]
    for found in counters.finditer(text):
        yield Figure(known[found[1].casefold()], found[0].strip(), found.start())


def _words(text: str, language: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(_plain(text, language))]


def _plain(text: str, language: str) -> str:
    """Return a text without the apostrophes within Ukrainian words; elsewhere they part words."""
    return text.replace("'", "").replace("’", "") if language == "uk" else text
