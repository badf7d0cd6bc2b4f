"""A word that a prompt misspells is neither added nor lost when a rewrite spells it rightly."""

import pytest

from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts.checks.all_checks import find_violations

GOOD = {
    "a wman with a red hat": "A woman with a red hat, soft light",
    "a yong grl on a swing": "A young girl on a swing, soft light",
    "two pepole dancing": "Two people dancing in soft light",
    "an old fishermn on a pier": "An old fisherman on a pier",
    "chocolate desert on a plate": "A chocolate dessert on a white plate",
    "Eifel Tower at night": "The Eiffel Tower at night, lit from below",
    "a castle, watercolr style": "Watercolor style castle on a hill",
    "a red bycicle agaisnt a wall": "A red bicycle against a wall",
    "3 dgos runing": "Three dogs running on a beach",
}


def codes(prompt: str, rewrite: str) -> list[str]:
    found = find_violations(prompt, rewrite, RewriteRequirements("image", "en"))
    return [violation.code for violation in found]


def test_a_typo_makes_no_good_rewrite_fail() -> None:
    wrong = {prompt: codes(prompt, rewrite) for prompt, rewrite in GOOD.items()}

    assert {prompt: found for prompt, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("prompt", "rewrite"),
    [
        ("a mountain lake", "A mountain lake with a hiker at the shore"),
        ("a dance floor", "A dance floor with a dancer"),
        ("a cat on a mat", "A cat on a mat beside a man"),
        ("a hike in the hills", "A hiker in the hills"),
    ],
)
def test_another_word_is_no_typo(prompt: str, rewrite: str) -> None:
    assert "person_added" in codes(prompt, rewrite)
