"""Our own instructions are found in a text, and ordinary descriptions are not taken for them."""

import pytest

from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.text import words_of
from llm_api.services.prompts.validation import LeakFinder

RULES = InstructedStrategy().instructions
FINDER = LeakFinder(RULES)
ORDINARY = [
    "A cat on a sill, soft light from the left, warm colors, material and texture of old wood.",
    "The main subject stands first, then the other things from left to right, then the light.",
    "A page of rules on a school wall, written in chalk, with a wooden frame.",
    "一只猫坐在窗台上，柔和的光线从左边照进来，木头的材质清晰可见，背景是花园。",
    "电影海报，主体在前，背景在后，光线柔和，构图均衡。",
]


def test_there_are_rules_for_every_type_and_language() -> None:
    assert len(RULES) == 8


@pytest.mark.parametrize(
    "rules",
    RULES[:6],
    ids=["image en", "image zh", "video en", "video zh", "edit en", "edit zh"],
)
@pytest.mark.parametrize("at", [0.1, 0.4, 0.7])
@pytest.mark.parametrize("change", ["none", "case", "spaces", "marks"])
def test_a_piece_of_the_rules_is_found(rules: str, at: float, change: str) -> None:
    start = int(len(rules) * at)
    piece = rules[start : start + (40 if rules[0] > "z" else 120)]
    changed = {
        "none": piece,
        "case": piece.upper(),
        "spaces": " ".join(piece.split()),
        "marks": piece.replace(",", " -").replace("，", "、"),
    }

    assert FINDER.is_leaked(f"A cat. {changed[change]}", "a cat")


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_description_is_not_ours(text: str) -> None:
    assert not FINDER.is_leaked(text, "")


def test_what_the_user_wrote_himself_is_his_own() -> None:
    text = "A board that says: " + RULES[0][60:160]

    assert FINDER.is_leaked(text, "a board")
    assert not FINDER.is_leaked(f"{text}, soft light", text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_run_of_our_words_is_a_leak_from_a_certain_length_on(language: str) -> None:
    rules, longest = (RULES[0], 6) if language == "en" else (RULES[1], 12)
    words = words_of(rules)[40 : 40 + longest + 1]
    gap, start = (" ", "A cat. ") if language == "en" else ("", "猫。")

    assert FINDER.is_leaked(start + gap.join(words), "")
    assert not FINDER.is_leaked(start + gap.join(words[:-1]), "")
