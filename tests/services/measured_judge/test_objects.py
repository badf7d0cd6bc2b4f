"""Counts are lower bounds, "not seen" is never "not there", and places are those that were seen."""

import pytest

from llm_api.domain.judging import Measurements, Outcome, SeenObject
from llm_api.services.measured_judge.detectable import COCO, labels_of
from llm_api.services.prompts import requirements_of
from tests.services.measured_judge.measuring import checked, judged, measured, outcome, seen

PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN


def cats(number: int, confidence: float = 0.8) -> list[SeenObject]:
    return seen("cat", *(0.1 * index for index in range(number)), confidence=confidence)


@pytest.mark.parametrize(
    ("prompt", "number", "wanted"),
    [
        ("three cats", 3, PASSED),
        ("three cats", 2, UNKNOWN),
        ("three cats", 0, UNKNOWN),
        ("three cats", 4, FAILED),
        ("三只猫", 4, FAILED),
        ("exactly one cat", 2, FAILED),
        ("three cats in a garden", 4, FAILED),
        ("three cats and a tiger", 4, UNKNOWN),
        ("three cats and a purple zorb", 4, UNKNOWN),
        ("no cats", 0, UNKNOWN),
        ("no cats", 1, FAILED),
    ],
)
def test_a_number_is_a_lower_bound(prompt: str, number: int, wanted: Outcome) -> None:
    assert outcome(prompt, measured(objects=cats(number)), "count") is wanted


def test_things_of_one_kind_are_counted_together() -> None:
    prompt = "three red cats and two white cats"

    assert [one.outcome for one in judged(prompt, measured(objects=cats(5)))] == [PASSED] * 2
    assert [one.outcome for one in judged(prompt, measured(objects=cats(4)))] == [UNKNOWN] * 2
    assert [one.outcome for one in judged(prompt, measured(objects=cats(6)))] == [FAILED] * 2


def test_one_more_of_a_kind_may_be_the_one_without_a_number() -> None:
    prompt = "two cats on a sofa, a black cat on a poster"

    assert outcome(prompt, measured(objects=cats(3)), "count") is UNKNOWN


def test_evidence_never_says_absent_and_hedges_too_many() -> None:
    [none] = judged("three cats", measured(objects=[]))
    [few] = judged("three cats", measured(objects=cats(1)))
    [many] = judged("three cats", measured(objects=cats(5)))

    assert none.evidence == "None seen, 3 asked for: some may have been missed."
    assert few.evidence == "At least 1 seen, 3 asked for: some may have been missed."
    assert many.evidence == "At least 5 seen, 3 asked for: most likely there are too many."


def test_what_was_seen_of_an_unwanted_thing_is_told() -> None:
    [unsure] = judged("no cats", measured(objects=cats(1, confidence=0.55)))
    [unseen] = judged("no cats", measured(objects=[]))

    assert unsure.outcome is UNKNOWN
    assert unsure.evidence == "Something like it was seen, but not surely enough (0.55)."
    assert unseen.evidence == "None was seen, which does not mean that there is none."


@pytest.mark.parametrize(
    ("prompt", "objects", "wanted"),
    [
        ("a cat", seen("cat", 0.1), PASSED),
        ("a cat", seen("cat", 0.1, confidence=0.32), UNKNOWN),
        ("a cat", seen("dog", 0.1), UNKNOWN),
        ("a sofa", seen("couch", 0.1), PASSED),
        ("a table", seen("dining table", 0.1), PASSED),
        ("an animal", seen("zebra", 0.1), PASSED),
        ("a woman", seen("person", 0.1), UNKNOWN),
        ("a dragon", seen("bird", 0.1), UNKNOWN),
        ("一部手机", seen("cell phone", 0.1), PASSED),
    ],
)
def test_a_thing_passes_where_it_was_seen(
    prompt: str, objects: list[SeenObject], wanted: Outcome
) -> None:
    assert outcome(prompt, measured(objects=objects), "object") is wanted


def test_of_what_the_detector_does_not_know_it_says_so() -> None:
    [verdict] = judged("a dragon", measured())

    assert verdict.evidence == 'The detector has no name for "dragon".'


def test_what_is_hardly_seen_is_no_proof_of_what_is_not_wanted() -> None:
    faint = measured(objects=cats(1, confidence=0.45))

    assert outcome("no cats", faint, "count") is UNKNOWN


LEFT_DOG = [*seen("dog", 0.1), *seen("cat", 0.6)]
MIXED = [*seen("dog", 0.1, 0.8), *seen("cat", 0.5)]
HIGH_DOG = [*seen("dog", 0.4, top=0.05), *seen("cat", 0.4, top=0.7)]


@pytest.mark.parametrize(
    ("prompt", "objects", "wanted"),
    [
        ("a dog to the left of a cat", LEFT_DOG, PASSED),
        ("a cat to the left of a dog", LEFT_DOG, FAILED),
        ("a cat to the right of a dog", LEFT_DOG, PASSED),
        ("a dog above a cat", HIGH_DOG, PASSED),
        ("a dog below a cat", HIGH_DOG, FAILED),
        ("猫在狗的下面", HIGH_DOG, PASSED),
        ("two dogs to the left of a cat", MIXED, UNKNOWN),
        ("a dog to the left of a cat", seen("dog", 0.1), UNKNOWN),
        ("a dog to the left of a cat", HIGH_DOG, UNKNOWN),
        ("a dog to the left of a dragon", LEFT_DOG, UNKNOWN),
        ("a dog on the left", LEFT_DOG, PASSED),
        ("a dog on the right", LEFT_DOG, FAILED),
        ("a dog on the left", seen("dog", 0.45), UNKNOWN),
        ("a dog on the left", [], UNKNOWN),
    ],
)
def test_a_place_is_judged_where_both_were_seen(
    prompt: str, objects: list[SeenObject], wanted: Outcome
) -> None:
    assert outcome(prompt, measured(objects=objects), "position") is wanted


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [("a red cat", "color"), ("a cat on a chair", "other"), ("a cat behind a chair", "other")],
)
def test_colors_and_what_touches_are_not_measured(prompt: str, kind: str) -> None:
    objects = [*seen("cat", 0.1), *seen("chair", 0.1)]

    assert outcome(prompt, measured(objects=objects), kind) is UNKNOWN


def test_of_things_told_apart_by_their_colors_none_passes_for_being_seen() -> None:
    objects = [*seen("sports ball", 0.1, 0.7)]

    verdicts = judged("a red ball and a blue ball", measured(objects=objects))

    assert [one.outcome for one in verdicts] == [UNKNOWN, UNKNOWN]


def test_where_nothing_can_be_seen_it_says_how_to_get_that() -> None:
    result = Measurements(9, 9, unavailable={"objects": "run make vision"})

    assert checked("three cats", result).evidence == "Unavailable: run make vision."


def test_all_eighty_names_of_the_detector_are_understood_in_prompts() -> None:
    """Both sides come from one vocabulary; a name that is lost on the way is never measured."""
    assert len(COCO) == 80
    for name in COCO:
        [found] = [one for one in requirements_of(f"a {name}") if one.kind == "object"]
        assert labels_of(found.thing) == {name}
