"""The negative prompt has what the user does not want, and nothing of anybody else's."""

import pytest

from llm_api.domain.prompts import PromptRequest
from llm_api.services.prompts.languages.exclusions import on_exclusions
from llm_api.services.prompts.negative_prompts import negative_prompt
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import TARGETS, optimizer_of, task_of
from tests.support.upstream import ScriptedUpstream

UNWANTED = {
    "one": ("an empty beach without people", "people"),
    "two": ("a street, no cars and no bicycles", "cars, bicycles"),
    "none": ("a cat on a sill", ""),
    "chinese": ("一条街道，没有汽车", "汽车"),
    "twice": ("no cars, really no cars", "cars"),
}


@pytest.mark.parametrize("name", UNWANTED)
def test_it_lists_what_is_not_wanted(name: str) -> None:
    prompt, expected = UNWANTED[name]

    assert negative_prompt(task_of(prompt)) == expected


@pytest.mark.parametrize(
    "name", [one for one, target in TARGETS.items() if not target.max_negative]
)
def test_a_target_that_takes_none_gets_none(name: str) -> None:
    assert negative_prompt(task_of("a beach without people", target_model=name)) == ""


def test_it_is_not_longer_than_the_target_takes() -> None:
    unwanted = ["cars", "dogs", "cats", "trees", "chairs", "tables", "birds", "boats"] * 20
    prompt = ", ".join(f"no red {thing}{at}" for at, thing in enumerate(unwanted))

    assert len(negative_prompt(task_of(prompt[:3_900], target_model="sdxl"))) <= 400


def test_what_is_not_wanted_in_words_that_are_not_read_is_told(upstream: ScriptedUpstream) -> None:
    optimizer = optimizer_of(upstream, ListSink(), is_guided=True)  # which calls nobody here
    told = {}
    for prompt in ("Zorros en la nieve, sin personas --no texto", "Foxes in the snow, no people"):
        request = PromptRequest(prompt, "image", include_negative_prompt=True)
        answer = optimizer.optimize(request, CALLER).answer
        told[answer.negative_prompt] = [one for one in answer.warnings if "Spanish" in one]

    [spanish] = told.pop("personas, texto")
    known = "people, text, watermarks, logos, cars and animals"
    assert spanish == f"Of what a prompt excludes in words, only {known} are read in Spanish."
    assert told == {"people": []}
    assert on_exclusions("ka") == (
        "What a prompt excludes in words is not read in Georgian, only flags."
    )
