"""The measured judge: what it measures, checkpoints of callers, and verdicts."""

from collections.abc import Sequence

import pytest

from llm_api.domain.judging import (
    MEASURED,
    VISION,
    CheckpointVerdict,
    Flag,
    Outcome,
    Verdict,
)
from llm_api.services.measured_judge import MeasuredJudge, merged, verdict_of_measured
from llm_api.services.prompts import requirements_of
from tests.services.measured_judge.measuring import (
    PICTURE,
    FixedMeter,
    checked,
    judged,
    measured,
    seen,
)

PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN
NOTHING = measured()


@pytest.mark.parametrize(
    ("prompt", "checkpoints", "asked"),
    [
        ("a dragon", [], (False, False, [])),
        ("", ["it is beautiful"], (False, False, [])),
        ("a cat", [], (False, True, [])),
        ("a red dragon", ["three cats"], (False, True, [])),
        ('a sign "OPEN"', [], (True, False, ["OPEN"])),
        ("", ['the sign reads "OPEN"'], (True, False, ["OPEN"])),
        ("a dragon, no text", [], (True, False, [])),
        ('a cat, "HI"', [], (True, True, ["HI"])),
    ],
)
def test_only_what_is_asked_for_is_measured(
    prompt: str, checkpoints: Sequence[str], asked: tuple[bool, bool, list[str]]
) -> None:
    meter = FixedMeter(NOTHING)

    MeasuredJudge(meter).judge(PICTURE, requirements_of(prompt), checkpoints)

    assert meter.asked == [asked]


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("exactly three cats", PASSED),
        ("三只猫", PASSED),
        ("exactly two cats", FAILED),
        ('sign reads "OPEN"', PASSED),
        ("招牌上写着“OPEN”", PASSED),
        ('the sign says "OPAN"', FAILED),
        ('three cats and a sign that reads "OPEN"', PASSED),
        ('four cats and a sign that reads "OPEN"', UNKNOWN),
        ('four cats and a sign that reads "OPAN"', FAILED),
        ("three happy cats", UNKNOWN),
        ("two happy cats", FAILED),
        ("about two cats", UNKNOWN),
        ("no cats", FAILED),
        ("no dogs", UNKNOWN),
        ("three cats, not sleeping", UNKNOWN),
        ("the mood is calm", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_sentence_of_the_caller_is_judged_as_far_as_it_can_be_read(
    sentence: str, wanted: Outcome
) -> None:
    result = measured("OPEN", objects=seen("cat", 0.1, 0.4, 0.7))

    verdict = checked(sentence, result)

    assert (verdict.text, verdict.outcome, verdict.source) == (sentence, wanted, MEASURED)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ('four cats and a sign that reads "OPAN"', "text"),
        ('two cats and a sign that reads "OPEN"', "count"),
        ('three cats and a sign that reads "OPEN"', "other"),
        ("exactly three cats", "count"),
    ],
)
def test_a_sentence_is_of_the_kind_that_decides_it(sentence: str, kind: str) -> None:
    result = measured("OPEN", objects=seen("cat", 0.1, 0.4, 0.7))

    assert checked(sentence, result).kind == kind


def test_requirements_come_first_and_checkpoints_after_them() -> None:
    verdicts = judged('a sign "OPEN"', measured("OPEN"), "it is calm", '"SALE"')

    assert [one.text for one in verdicts][-2:] == ["it is calm", '"SALE"']
    assert [one.kind for one in verdicts] == ["text", "object", "other", "text"]


def verdict_on(*outcomes: Outcome) -> Verdict:
    checkpoints = [CheckpointVerdict(str(index), one) for index, one in enumerate(outcomes)]
    return verdict_of_measured(NOTHING, checkpoints)


@pytest.mark.parametrize(
    ("outcomes", "passed", "coverage"),
    [
        ([PASSED, UNKNOWN], True, 0.5),
        ([PASSED, FAILED], False, 1.0),
        ([FAILED, UNKNOWN, UNKNOWN, UNKNOWN], False, 0.25),
        ([UNKNOWN, UNKNOWN], None, 0.0),
        ([], None, None),
    ],
)
def test_a_measured_verdict_is_passed_failed_or_unknown(
    outcomes: list[Outcome],
    *,
    passed: bool | None,
    coverage: float | None,
) -> None:
    verdict = verdict_on(*outcomes)

    assert (verdict.passed, verdict.coverage) == (passed, coverage)


def test_a_measured_verdict_has_no_marks() -> None:
    verdict = verdict_on(PASSED)

    assert (verdict.method, verdict.overall, verdict.scores) == (MEASURED, None, {})
    assert (verdict.confidence, verdict.samples_used) == (None, 0)


TEXT, COUNT = "Can it be read?", "Are there 3 cats?"


def seen_by_model(outcome: Outcome, text: str = TEXT, **fields: object) -> Verdict:
    checkpoint = CheckpointVerdict(text, outcome, "as I see it")
    return Verdict(VISION, checkpoints=(checkpoint,), overall=80.0, **fields)  # type: ignore[arg-type]  # fields of the tests


def found(outcome: Outcome, kind: str = "text", text: str = TEXT) -> CheckpointVerdict:
    return CheckpointVerdict(text, outcome, "Reads.", MEASURED, kind)


def test_a_text_that_was_read_overrules_the_model() -> None:
    verdict = merged(seen_by_model(PASSED, passed=True), NOTHING, [found(FAILED)])

    [one] = verdict.checkpoints
    assert (one.outcome, one.source, verdict.passed) == (FAILED, MEASURED, False)
    assert one.evidence == "Reads. The model said passed."


def test_a_text_that_the_model_misread_lets_the_picture_pass() -> None:
    vision = seen_by_model(FAILED, passed=False)

    assert merged(vision, NOTHING, [found(PASSED)], threshold=60).passed is True
    assert merged(vision, NOTHING, [found(PASSED)], threshold=90).passed is False
    assert merged(vision, NOTHING, [found(PASSED)]).passed is False


@pytest.mark.parametrize("kind", ["count", "object", "position"])
def test_numbers_things_and_places_are_shown_beside_what_the_model_says(kind: str) -> None:
    vision = seen_by_model(PASSED, COUNT, passed=True)

    verdict = merged(vision, NOTHING, [found(FAILED, kind, COUNT)], threshold=60)

    assert [(one.source, one.outcome) for one in verdict.checkpoints] == [
        (VISION, PASSED),
        (MEASURED, FAILED),
    ]
    assert (verdict.passed, verdict.coverage) == (True, 1.0)


@pytest.mark.parametrize("kind", ["text", "count", "color"])
def test_what_could_not_be_measured_is_left_to_the_model(kind: str) -> None:
    verdict = merged(seen_by_model(PASSED), NOTHING, [found(UNKNOWN, kind)])

    assert [(one.source, one.kind) for one in verdict.checkpoints] == [(VISION, kind)]


def test_what_the_model_was_not_asked_is_added() -> None:
    verdict = merged(seen_by_model(PASSED), NOTHING, [found(UNKNOWN, "count", COUNT)])

    assert [one.text for one in verdict.checkpoints] == [TEXT, COUNT]
    assert verdict.coverage == 0.5


def test_flags_and_scores_stand_beside_each_other() -> None:
    blurred = measured(flags=(Flag("blurry", 0.7, 0.5, is_set=True),))

    verdict = merged(seen_by_model(PASSED, passed=True), blurred, [])

    assert verdict.measurements == blurred
    assert (verdict.overall, verdict.passed) == (80.0, True)


def test_a_model_that_cannot_say_still_fails_a_misspelt_text() -> None:
    vision = Verdict(VISION, passed=None)

    assert merged(vision, NOTHING, [found(FAILED)]).passed is False
    assert merged(vision, NOTHING, [found(PASSED)]).passed is None
