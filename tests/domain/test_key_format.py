"""The text of a key: recognizable, checked, and kept as nothing that anybody could use."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.key_format import holds_key, is_intact, new_secret, without_keys

DIGITS = string.digits + string.ascii_letters
KEY = new_secret()


def test_a_key_has_the_prefix_and_digits_of_base_62() -> None:
    assert re.fullmatch(r"llmapi_[0-9A-Za-z]{49}", KEY)


def test_no_two_keys_are_the_same_and_no_place_is_fixed() -> None:
    keys = [new_secret() for _ in range(500)]

    assert len(set(keys)) == 500
    # But for the first digit of the random number, which holds what the others leave over.
    assert min(len({key[place] for key in keys}) for place in range(8, 50)) > 55


def test_a_new_key_is_intact() -> None:
    assert all(is_intact(new_secret()) for _ in range(100))


@given(place=st.integers(7, 55), digit=st.sampled_from(DIGITS))
def test_a_key_with_a_wrong_digit_is_not(place: int, digit: str) -> None:
    changed = KEY[:place] + digit + KEY[place + 1 :]

    assert is_intact(changed) == (changed == KEY)


@pytest.mark.parametrize(
    "text",
    ["", "llmapi_", KEY[:-1], KEY + "0", KEY.upper(), " " + KEY, KEY + "\n", KEY.replace("_", "-")],
    ids=["nothing", "prefix", "cut", "long", "upper case", "blank", "line", "dash"],
)
def test_what_is_not_the_whole_key_is_not_intact(text: str) -> None:
    assert not is_intact(text)


def test_a_key_is_found_and_blanked_out_in_a_text() -> None:
    text = f"model-{KEY}, {new_secret()}"

    assert holds_key(text)
    assert without_keys(text) == "model-llmapi_[redacted], llmapi_[redacted]"


def test_a_text_without_a_key_stays() -> None:
    assert without_keys("llmapi_ is a prefix") == "llmapi_ is a prefix"
    assert not holds_key("llmapi_ is a prefix")
