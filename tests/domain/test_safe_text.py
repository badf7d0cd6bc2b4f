"""What is checked of names is what the API document says of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.safe_text import PRINTABLE, PRINTABLE_AND_VISIBLE, is_printable, made_printable


@given(text=st.text())
def test_the_pattern_for_clients_says_the_same(text: str) -> None:
    assert is_printable(text) is bool(re.fullmatch(PRINTABLE, text))


@given(text=st.text(st.sampled_from(" \u3000\xa0a\n")))
def test_visible_text_is_more_than_spaces(text: str) -> None:
    is_right = is_printable(text) and bool(text.strip())

    assert is_right is bool(re.fullmatch(PRINTABLE_AND_VISIBLE, text))


@pytest.mark.parametrize(
    "text", ["水彩\u3000画", "a b", "naïve", "\N{GRINNING FACE}", "\U000e0fff"]
)
def test_letters_and_spaces_of_every_script_are_printable(text: str) -> None:
    assert is_printable(text)


@pytest.mark.parametrize("character", "\n\r\x00\x1b\x7f\x85\u200d\u2028\u202e\u2066\ufeff")
def test_what_ends_a_line_or_turns_it_is_not(character: str) -> None:
    assert not is_printable(f"a{character}b")


@given(text=st.text(st.characters()))
def test_made_printable_text_can_be_answered_with(text: str) -> None:
    made = made_printable(text)

    assert is_printable(made)
    assert len(made.encode()) >= len(text)
