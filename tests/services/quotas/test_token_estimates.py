"""Tokens are estimated from text, in English and in Chinese, and never to nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.quotas.estimates import estimate_prompt, estimate_text

ENGLISH = "The quick brown fox jumps over the lazy dog and runs into the forest behind it."
CHINESE = "敏捷的棕色狐狸跳过了懒狗然后跑进了后面的森林"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}


def message(content: Any) -> dict[str, Any]:
    """Ask something."""
    return {"role": "user", "content": content}


def prompt_of(*messages: dict[str, Any]) -> int:
    """Estimate the tokens of a conversation."""
    return estimate_prompt({"messages": list(messages)})


def test_no_text_has_no_token() -> None:
    assert estimate_text([]) == 0
    assert estimate_text(["", ""]) == 0


def test_english_is_estimated_at_a_token_for_four_letters() -> None:
    assert estimate_text([ENGLISH]) == 20


def test_chinese_is_estimated_at_two_tokens_for_three_characters() -> None:
    assert estimate_text([CHINESE]) == 15


def test_mixed_text_is_the_sum_of_its_parts() -> None:
    mixed = estimate_text([ENGLISH + CHINESE])

    assert abs(mixed - estimate_text([ENGLISH]) - estimate_text([CHINESE])) <= 1


def test_one_letter_is_a_token() -> None:
    assert estimate_text(["a"]) == 1


@given(st.lists(st.text(max_size=9), max_size=9))
def test_it_makes_no_difference_how_a_text_was_cut(texts: list[str]) -> None:
    assert estimate_text(texts) == estimate_text(["".join(texts)])


@given(st.text(max_size=20), st.text(max_size=20))
def test_more_text_has_no_fewer_tokens(text: str, more: str) -> None:
    assert estimate_text([text + more]) >= estimate_text([text])


def test_a_message_has_tokens_beside_its_text() -> None:
    assert prompt_of(message("")) == 4
    assert prompt_of(message(ENGLISH)) == 24
    assert prompt_of(message(ENGLISH), message(ENGLISH)) == 48


def test_the_texts_of_parts_count() -> None:
    parts = [{"type": "text", "text": ENGLISH}, {"type": "text", "text": ENGLISH}]

    assert prompt_of(message(parts)) == 44


def test_an_image_counts_as_one_whatever_its_size() -> None:
    assert prompt_of(message([IMAGE])) == 804
    assert prompt_of(message([IMAGE, IMAGE])) == 1_604


def test_a_message_without_content_counts() -> None:
    assert prompt_of({"role": "assistant", "content": None}, {"role": "assistant"}) == 8


@pytest.mark.parametrize("name", ["prompt", "input"])
@pytest.mark.parametrize("value", [ENGLISH, [ENGLISH], [ENGLISH[:9], ENGLISH[9:]]], ids=repr)
def test_a_text_to_continue_or_to_embed_counts(name: str, value: Any) -> None:
    assert estimate_prompt({name: value}) == 20


@pytest.mark.parametrize("tokens", [[1, 2, 3, 4, 5], [[1, 2], [3, 4, 5]]], ids=["one", "two"])
def test_tokens_count_as_what_they_are(tokens: list[Any]) -> None:
    assert estimate_prompt({"prompt": tokens}) == 5


@pytest.mark.parametrize(
    "parameters", [{}, {"prompt": ""}, {"prompt": None}, {"messages": []}, {"messages": None}]
)
def test_a_prompt_is_never_estimated_to_nothing(parameters: dict[str, Any]) -> None:
    assert estimate_prompt(parameters) == 1


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url"])}, optional={"text": JSON}
)


@given(st.lists(st.fixed_dictionaries({}, optional={"content": JSON | st.lists(PARTS)})), JSON)
def test_any_prompt_can_be_estimated(messages: list[Any], prompt: Any) -> None:
    assert estimate_prompt({"messages": messages}) >= 1
    assert estimate_prompt({"prompt": prompt}) >= 1
