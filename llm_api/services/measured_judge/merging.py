"""Puts what was measured beside what a vision model says, or into a verdict of its own.

A text is measured better than seen: what was read overrules the model. Of numbers both are shown,
as both are weak there. What could not be measured is left out where the model has an answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llm_api.domain.judging import (
    MEASURED,
    CheckpointVerdict,
    Measurements,
    Outcome,
    Verdict,
)

_TEXT = "text"


def merged(
    vision: Verdict,
    measurements: Measurements,
    measured: Sequence[CheckpointVerdict],
    *,
    threshold: float | None = None,
) -> Verdict:
    """Return a vision model's verdict with what was measured.

    Args:
        vision: the model's.
        measurements: of the same picture; its flags are shown beside.
        measured: what the measured judge answered, by the same texts.
        threshold: from which `overall` on a picture passes; None leaves `passed` as it is, unless
            a text that was measured has failed.
    """
    checkpoints = tuple(_checkpoints(vision.checkpoints, measured))
    return replace(
        vision,
        checkpoints=checkpoints,
        measurements=measurements,
        coverage=coverage_of(checkpoints),
        passed=_passed(vision, checkpoints, threshold),
    )


def _checkpoints(
    vision: Sequence[CheckpointVerdict], measured: Sequence[CheckpointVerdict]
) -> Iterator[CheckpointVerdict]:
    by_text = {one.text: one for one in measured}
    for seen in vision:
        found = by_text.pop(seen.text, None)
        if found is None or found.outcome is Outcome.UNKNOWN:
            yield seen if found is None else replace(seen, kind=found.kind)
        elif found.kind == _TEXT:
            yield _overruling(found, seen)
        else:
            yield replace(seen, kind=found.kind)
            yield found
    yield from by_text.values()


def _overruling(found: CheckpointVerdict, seen: CheckpointVerdict) -> CheckpointVerdict:
    if seen.outcome in {found.outcome, Outcome.UNKNOWN}:
        return found
    return replace(found, evidence=f"{found.evidence or ''} The model said {seen.outcome.value}.")


def _passed(
    vision: Verdict, checkpoints: Sequence[CheckpointVerdict], threshold: float | None
) -> bool | None:
    """Decide anew: a measured text is a fact, a measured number a hint beside the model's."""
    decisive = [one for one in checkpoints if one.source != MEASURED or one.kind == _TEXT]
    has_failed = any(one.outcome is Outcome.FAILED for one in decisive)
    if vision.passed is None or threshold is None or vision.overall is None:
        has_failed_text = any(
            one.outcome is Outcome.FAILED and one.source == MEASURED for one in decisive
        )
        return False if has_failed_text else vision.passed
    return vision.overall >= threshold and not has_failed


def coverage_of(checkpoints: Sequence[CheckpointVerdict]) -> float | None:
    """Return the share of checkpoints whose outcome is known; None where there are none."""
    texts = {one.text for one in checkpoints}
    known = {one.text for one in checkpoints if one.outcome is not Outcome.UNKNOWN}
    return round(len(known) / len(texts), 4) if texts else None


def verdict_of_measured(
    measurements: Measurements, checkpoints: Sequence[CheckpointVerdict]
) -> Verdict:
    """Return the verdict of measurements alone: no scores, and never an overall one.

    A picture passes if something is known to be right and nothing to be wrong.
    """
    outcomes = {one.outcome for one in checkpoints}
    passed = None
    if Outcome.FAILED in outcomes:
        passed = False
    elif Outcome.PASSED in outcomes:
        passed = True
    return Verdict(
        MEASURED,
        passed=passed,
        checkpoints=tuple(checkpoints),
        coverage=coverage_of(checkpoints),
        measurements=measurements,
        cost_micro=0,
    )
