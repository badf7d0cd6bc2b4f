"""A rewrite is validated: what is wrong with it, and whether its user may have it all the same."""

from typing import Any

import pytest

from llm_api.services.prompts.checks.violations import violation_of
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.validation import TOLERATED, RewriteValidator
from tests.services.prompts.asking import task_of

VALIDATOR = RewriteValidator(InstructedStrategy().instructions)
CAT = "a cat on a sill"
LIGHT = (
    ", soft morning light from the left, warm muted tones, fine texture of old wood,"
    " eye-level view, calm framing"
)


def codes(prompt: str, rewrite: str, **fields: Any) -> list[str]:
    return [
        violation.code
        for violation in VALIDATOR.validate(task_of(prompt, **fields), rewrite).violations
    ]


def test_a_good_rewrite_has_nothing_wrong() -> None:
    result = VALIDATOR.validate(task_of(CAT), CAT + LIGHT)

    assert (result.is_good, result.is_usable) == (True, True)
    assert "Enhanced visual details" in result.improvements


STOPPED = {
    "nothing": ("", "empty"),
    "other things": ("A dog in a garden" + LIGHT, "unrelated"),
    "nothing new": ("There is a cat on a sill", "nothing_added"),
    "our rules": (CAT + LIGHT + " " + InstructedStrategy().instructions[0][200:400], "markup"),
    "tags": (f"<b>{CAT}</b>" + LIGHT, "markup"),
    "a person": (CAT + LIGHT + ", a woman watches", "person_added"),
}


@pytest.mark.parametrize("name", STOPPED)
def test_what_is_wrong_stops_a_rewrite(name: str) -> None:
    rewrite, code = STOPPED[name]
    result = VALIDATOR.validate(task_of(CAT), rewrite)

    found = [violation.code for violation in result.violations]
    assert not result.is_usable
    assert code in found or (name == "our rules" and "instructions_leaked" in found)


def test_what_is_too_short_can_be_used_all_the_same() -> None:
    result = VALIDATOR.validate(task_of(CAT), f"{CAT}, soft light")

    assert [violation.code for violation in result.violations] == ["too_short"]
    assert (result.is_good, result.is_usable) == (False, True)


def test_what_stops_a_rewrite_comes_before_what_does_not() -> None:
    assert codes(CAT, "A cat on a sill, warm light, a man")[0] == "person_added"


def test_without_details_nothing_needs_to_be_added() -> None:
    assert codes(CAT, "A cat on a sill.", enhance_details=False) == []


def test_without_details_nothing_may_be_added() -> None:
    result = VALIDATOR.validate(task_of(CAT, enhance_details=False), "A cat on a sill, a lamp.")

    assert not result.is_usable


def test_a_detailed_prompt_needs_nothing_more() -> None:
    prompt = f"{CAT} and a chair, " * 40

    assert codes(prompt, prompt.strip()) == []


def test_a_translation_is_not_held_to_the_words() -> None:
    rewrite = "A white cat sits on the windowsill" + LIGHT

    assert "unrelated" not in codes("窗台上坐着一只白猫", rewrite, language="en")


@pytest.mark.parametrize(
    ("prompt", "rewrite", "is_chatter"),
    [
        ("一阵风", "I have no idea, but the light in my room is nice" + LIGHT, True),
        ("一阵风", "A gust of wind bends the tall grass" + LIGHT, False),
        ("我的小屋", "My small house stands in tall grass" + LIGHT, False),
    ],
    ids=["chatter", "no chatter", "chatter of the user's"],
)
def test_chatter_is_no_translation(prompt: str, rewrite: str, *, is_chatter: bool) -> None:
    assert ("unrelated" in codes(prompt, rewrite, language="en")) is is_chatter


def test_what_is_wrong_with_the_prompt_itself_is_as_its_user_wants_it() -> None:
    prompt = "an empty street without cars"
    task = task_of(prompt)

    result = VALIDATOR.validate_composed(task, prompt + LIGHT)

    assert "negation_worded" in codes(prompt, prompt + LIGHT)
    assert result.is_good


def test_words_of_their_own_are_no_excuse_for_what_is_hard() -> None:
    result = VALIDATOR.validate_composed(task_of(CAT, max_length=20), CAT + LIGHT)

    assert not result.is_usable


def test_what_is_tolerated_are_soft_violations_that_there_are() -> None:
    violations = [violation_of(code) for code in TOLERATED]

    assert {violation.code for violation in violations} == TOLERATED
    assert not any(violation.is_hard for violation in violations)
