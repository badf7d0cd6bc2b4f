"""What nobody sees is taken out of a text, and what people type stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.text import clean

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
