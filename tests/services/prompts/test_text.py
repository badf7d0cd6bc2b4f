"""What nobody sees is taken out of a text, and what people type stays.

What is read by a shorter way is read as by the long one.
"""

import re
import string
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.language import is_written_in
from llm_api.services.prompts.text import HAN, clean, fold, has_quote, lowered, tokens_of, words_of

CLEANED = {
    "plain": ("a cat", "a cat"),
    "white space": ("  a\tcat\r\n\n on  a sill ", "a cat on a sill"),
    "other spaces": ("a\u00a0cat\u3000on\u2003it", "a cat on it"),
    "zero width": ("a c\u200bat\u2060 \ufeffhere", "a cat here"),
    "soft hyphen": ("a ca\u00adt", "a cat"),
    "direction": ("\u202etac a\u202c", "tac a"),
    "hidden letters": ("a cat\U000e0049\U000e0067", "a cat"),
    "control signs": ("a\x00cat\x07\x7f", "a cat"),
    "colors of a terminal": ("\x1b[1;31ma cat\x1b[0m", "a cat"),
    "title of a terminal": ("\x1b]0;title\x07a cat", "a cat"),
    "composed": ("cafe\u0301", "caf\u00e9"),
    "chinese": ("一只猫，坐着。", "一只猫，坐着。"),
    "joined emoji": ("👩\u200d🚀 on a 🪑", "👩\u200d🚀 on a 🪑"),
    "persian": ("می\u200cخواهم", "می\u200cخواهم"),
    "half of a pair": ("a cat \ud83d sits", "a cat sits"),
    "nothing": ("\u200b\u200e \ufeff", ""),
}


@pytest.mark.parametrize("name", CLEANED)
def test_a_text_is_cleaned(name: str) -> None:
    text, expected = CLEANED[name]

    assert clean(text) == expected


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_a_clean_text_stays(text: str) -> None:
    once = clean(text)

    assert clean(once) == once == once.strip()


@given(st.from_regex(r"\A[!-~]+( [!-~]+)*\Z"))
def test_what_a_keyboard_types_stays(text: str) -> None:
    assert clean(text) == text


SIGNS = st.sampled_from(
    [
        *string.printable,
        *"红色的猫在左边，。：；！？（）“”‘’、《》「」【】—–…·‐‑¶㐀鿿䷀",
        *"éüñßΣſİıKﬁＡ１\u3000\u00a0\u0301\u0327½①３²がﾊ한я\U00020000👩",
    ]
)
WORDS = st.sampled_from(
    [
        *("don't", "isn't", "cat's", "1980s", "2.5", "16:9", "35mm", "f/2", "well-known", "a_b"),
        *("x\x1fy", "'em", "红色的猫", "“你好”", "¶", "a¶b", "£5", " "),
    ]
)
TEXTS = st.lists(SIGNS | WORDS, max_size=30).map("".join) | st.text("猫，…A é\u0327Ａ’", max_size=5)


@given(TEXTS)
def test_a_clean_text_has_single_gaps_and_is_composed(text: str) -> None:
    cleaned = clean(text)

    assert cleaned == " ".join(cleaned.split())
    assert cleaned == unicodedata.normalize("NFC", cleaned)


@given(TEXTS)
def test_a_text_is_folded_as_its_decomposed_form(text: str) -> None:
    for mark, instead in (("’", "'"), ("‘", "'"), ("`", "'"), ("‐", "-"), ("‑", "-")):
        text = text.replace(mark, instead)
    plain = unicodedata.normalize("NFKD", text).casefold()

    assert fold(text) == "".join(sign for sign in plain if not unicodedata.combining(sign))


@given(TEXTS.map(fold))
def test_a_text_is_split_as_by_one_pattern(text: str) -> None:
    word = rf"[^\W\d_{HAN}]+(?:'(?<=[^\W\d_{HAN}]n')t(?!\w))?"
    beside = r"'[a-z]{1,2}(?!\w)|\d+(?:[.:/]\d+)*|[^\w\s]"

    assert tokens_of(text) == re.findall(rf"[{HAN}]|{word}|{beside}", text)


@given(TEXTS)
def test_words_are_those_of_the_compatible_form(text: str) -> None:
    plain = unicodedata.normalize("NFKC", text).casefold()

    assert words_of(text) == re.findall(r"[a-z0-9]+|[\u3400-\u9fff]", plain)


def test_letters_are_lowered_as_patterns_that_ignore_case_do() -> None:
    signs = list(map(chr, range(sys.maxunicode + 1)))
    pattern = re.compile("[a-z]", re.IGNORECASE)

    letters = [sign for sign in signs if pattern.fullmatch(sign)]

    assert letters == [sign for sign in signs if lowered(sign) in set(string.ascii_lowercase)]
    assert all(re.fullmatch(lowered(sign), sign, re.IGNORECASE) for sign in letters)


def test_a_quotation_may_have_other_gaps() -> None:
    assert has_quote('A sign "Open  now" on a wall', "Open now")
    assert has_quote("A sign “Open\u00a0now”", "Open now")


@pytest.mark.parametrize(
    ("rewrite", "is_english"),
    [
        ("a dog and a cat, in soft light", True),
        ("el perro con los gatos", False),
        ("9el perro 9con 9los gatos", False),
        ('a sign that says "el perro con los gatos"', True),
    ],
)
def test_another_language_is_known_by_its_little_words(rewrite: str, *, is_english: bool) -> None:
    assert is_written_in(rewrite, "en", "a dog") == is_english
