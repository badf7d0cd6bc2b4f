"""From locks to pixels: what became of each requirement, who lost it, and what to switch off."""

from dataclasses import replace

import pytest

from llm_api.domain.fidelity import FidelityItem
from llm_api.domain.judging import MEASURED, VISION, CheckpointVerdict, Outcome, Verdict
from llm_api.services.measured_judge import fidelity_of
from llm_api.services.prompts import lost_requirements, requirements_of

PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN
PROMPT = 'three red cats left of a dog, a sign that says "OPEN"'
KEPT = (
    'Three fluffy red cats sit to the left of a brown dog under a sign that says "OPEN", at dusk.'
)


def lost(prompt: str, text: str) -> list[str]:
    requirements = requirements_of(prompt)
    return [
        one.words for one in requirements if one in lost_requirements(requirements, prompt, text)
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (KEPT, []),
        (KEPT.replace("OPEN", "OPENED"), ['Can the text "OPEN" be read in the picture?']),
        (KEPT.replace("Three", "Four"), ["Are there exactly 3 cats?"]),
        (KEPT.replace("red", "black"), ["Are the cats red?"]),
        (KEPT.replace("left", "right"), ["Are the cats to the left of the dog?"]),
    ],
)
def test_what_a_rewrite_has_lost_is_told(text: str, words: list[str]) -> None:
    assert lost(PROMPT, text) == words


@pytest.mark.parametrize(
    ("prompt", "text", "words"),
    [
        ("a cat and a dragon", "A cat sleeps in the sun.", ["Does the picture show a dragon?"]),
        ("an empty street, no cars", "A street with cars.", ["Is the picture without any cars?"]),
        ("两只白猫，写着“春天”", "两只白色的猫坐在写着“春天”的牌子下。", []),
        ("两只白猫，写着“春天”", "两只白色的猫。", ["画面中是否写有“春天”？"]),
        ("a red ball and a blue ball", "Two red balls.", ["Does the picture show a blue ball?"]),
        ("a cat", "", ["Does the picture show a cat?"]),
    ],
)
def test_it_is_told_in_both_languages(prompt: str, text: str, words: list[str]) -> None:
    assert lost(prompt, text) == words


def table(**fields: object) -> list[FidelityItem]:
    return list(fidelity_of(requirements_of('"OPEN"'), prompt='"OPEN"', **fields))  # type: ignore[arg-type]  # fields of the tests


def verdict(*outcomes: Outcome) -> Verdict:
    words = requirements_of('"OPEN"')[0].words
    checkpoints = [CheckpointVerdict(words, one, "", MEASURED, "text") for one in outcomes]
    return Verdict(MEASURED, checkpoints=tuple(checkpoints))


@pytest.mark.parametrize(
    ("fields", "loser", "switch"),
    [
        ({}, None, None),
        ({"rewrite": 'a sign "OPEN"', "verdict": verdict(FAILED)}, "picture", None),
        ({"rewrite": "a sign", "verdict": verdict(FAILED)}, "rewrite", "optimize_prompt: false"),
        ({"rewrite": "a sign", "verdict": verdict(UNKNOWN)}, "rewrite", "optimize_prompt: false"),
        ({"rewrite": "a sign", "verdict": verdict(PASSED)}, None, None),
        (
            {
                "rewrite": 'a sign "OPEN"',
                "vendor_rewrite": "a sign",
                "vendor_switch": "prompt_extend: false",
            },
            "vendor_rewrite",
            "prompt_extend: false",
        ),
        ({"vendor_rewrite": "a sign"}, "vendor_rewrite", None),
        ({"rewrite": "a sign", "vendor_rewrite": "x"}, "rewrite", "optimize_prompt: false"),
        ({"verdict": verdict(UNKNOWN)}, None, None),
        ({"verdict": verdict(PASSED, FAILED)}, None, None),
    ],
)
def test_the_first_that_lost_it_is_named_with_what_helps(
    fields: dict[str, object], loser: str | None, switch: str | None
) -> None:
    [item] = table(**fields)

    assert (item.lost_by, item.switch_off) == (loser, switch)


def test_each_column_says_what_is_known_there() -> None:
    [item] = table(rewrite='a sign "OPEN"', vendor_rewrite="a sign", verdict=verdict(FAILED))

    assert (item.in_prompt, item.in_rewrite, item.in_vendor_rewrite) == (True, True, False)
    assert (item.in_picture, item.kind) == (FAILED, "text")


@pytest.mark.parametrize("outcome", [PASSED, FAILED])
def test_what_a_model_says_of_a_picture_that_it_may_not_have_seen_does_not_count(
    outcome: Outcome,
) -> None:
    seen = replace(verdict(outcome), method=VISION, confidence="high")
    checkpoints = tuple(replace(one, source=VISION) for one in seen.checkpoints)
    seen = replace(seen, checkpoints=checkpoints)

    assert table(verdict=seen)[0].in_picture is outcome
    assert table(verdict=replace(seen, confidence=None))[0].in_picture is UNKNOWN


def test_of_what_does_not_exist_nothing_is_said() -> None:
    [item] = table()

    assert (item.in_rewrite, item.in_vendor_rewrite, item.in_picture) == (None, None, UNKNOWN)
