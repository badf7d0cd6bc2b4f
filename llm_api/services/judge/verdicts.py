"""Makes a verdict of what models have said: medians, spreads, and an overall score.

Levels become numbers here and nowhere else. Of several samples the median is a level that one of
them has named: of an even number the lower of the two in the middle.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llm_api.domain.judging import (
    VISION,
    CheckpointVerdict,
    DimensionScore,
    JudgeRequest,
    Outcome,
    Verdict,
)
from llm_api.services.judge.readings import Answered, Graded, Judgment
from llm_api.services.judge.rubric import ALIGNMENT, Rubric

_ONE_LEVEL = 25.0
_HALF = 0.5
_NOTHING = frozenset({"none", "no", "nothing", "n/a", "无", "没有"})


@dataclass(frozen=True, slots=True)
class Samples:
    """What a model has said of a picture, in all samples that could be read.

    Attributes:
        alignment, quality: the samples of each question.
        checkpoints: those that were asked, each with its kind.
        warnings: what a caller must know.
        is_seen: False where the picture may not have been seen.
        count: how many samples there are.
    """

    alignment: Sequence[Judgment] = ()
    quality: Sequence[Judgment] = ()
    checkpoints: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    is_seen: bool = True
    count: int = 0


def verdict_of(request: JudgeRequest, rubric: Rubric, samples: Samples) -> Verdict:
    """Return the verdict of samples, at least one of which could be read for each question."""
    scores = _scores(samples.alignment) | _scores(samples.quality)
    checked = [
        _checked(text, kind, [sample.answers[place] for sample in samples.alignment])
        for place, (text, kind) in enumerate(samples.checkpoints)
    ]
    checkpoints = tuple(one for one, _ in checked)
    known = [one for one in checkpoints if one.outcome is not Outcome.UNKNOWN]
    overall = overall_of(scores, rubric.weights)
    spread = max((score.spread for score in scores.values()), default=0.0)
    agreement = min((share for _, share in checked), default=1.0)
    return Verdict(
        method=VISION,
        passed=passes(overall, request.threshold, checkpoints) if samples.is_seen else None,
        overall=overall,
        scores=scores,
        checkpoints=checkpoints,
        issues=tuple(dict.fromkeys(one for said in samples.quality for one in said.issues)),
        coverage=len(known) / len(checkpoints) if checkpoints else None,
        confidence=confidence_of(spread, agreement) if samples.is_seen else None,
        samples_used=samples.count,
        summary=_first([said.summary for said in (*samples.alignment, *samples.quality)]),
        safety_note=_first([_safety(said) for said in samples.quality]),
        rubric_version=rubric.version,
        rubric_language=rubric.language,
        warnings=tuple(dict.fromkeys(samples.warnings)),
    )


def overall_of(scores: Mapping[str, DimensionScore], weights: Mapping[str, float]) -> float | None:
    """Return the overall score from 0 to 100; None without any.

    With an alignment it is the geometric mean of that and of the worst dimension of quality: a
    beautiful wrong picture must not pass, nor a faithful broken one. The form is VIEScore's
    (https://github.com/TIGER-AI-Lab/VIEScore). Else it is the weighted mean.
    """
    quality = {name: one.score for name, one in scores.items() if name != ALIGNMENT}
    alignment = scores.get(ALIGNMENT)
    if alignment is not None:
        worst = min(quality.values(), default=alignment.score)
        return round(math.sqrt(alignment.score * worst), 1)
    if not quality:
        return None
    total = sum(weights[name] for name in quality)
    return round(sum(weights[name] * score for name, score in quality.items()) / total, 1)


def passes(
    overall: float | None, threshold: float, checkpoints: Sequence[CheckpointVerdict]
) -> bool | None:
    """Return whether a picture is accepted; a failed checkpoint says no, whatever the scores are.

    None where there is neither a score nor an answer.
    """
    outcomes = {one.outcome for one in checkpoints}
    if Outcome.FAILED in outcomes:
        return False
    if overall is not None:
        return overall >= threshold
    return True if Outcome.PASSED in outcomes else None


def confidence_of(spread: float, agreement: float) -> str:
    """Return how sure a judge is of itself: `high`, `medium` or `low`.

    Args:
        spread: between samples, in points; 25 are a level.
        agreement: the smallest share of samples that agree on a checkpoint.
    """
    if spread == 0 and agreement == 1:
        return "high"
    return "medium" if spread <= _ONE_LEVEL and agreement > _HALF else "low"


def _scores(said: Sequence[Judgment]) -> dict[str, DimensionScore]:
    """Return the scores of all dimensions that most samples have a level of."""
    by_name: dict[str, list[Graded]] = {}
    for judgment in said:
        for name, graded in judgment.levels.items():
            by_name.setdefault(name, []).append(graded)
    return {name: _score(graded) for name, graded in by_name.items() if 2 * len(graded) > len(said)}


def _score(graded: Sequence[Graded]) -> DimensionScore:
    numbers = [one.level.score for one in graded]
    middle = statistics.median_low(numbers)
    chosen = next(one for one in graded if one.level.score == middle)
    spread = float(max(numbers) - min(numbers))
    return DimensionScore(float(middle), chosen.level, chosen.evidence, spread)


def _checked(text: str, kind: str, answers: Sequence[Answered]) -> tuple[CheckpointVerdict, float]:
    """Return what most samples say of a checkpoint, and their share; nobody knows where half do."""
    counted = Counter(answer.outcome for answer in answers)
    outcome, count = counted.most_common(1)[0]
    share = count / len(answers)
    if share <= _HALF:
        return CheckpointVerdict(text, Outcome.UNKNOWN, None, VISION, kind), share
    evidence = _first([answer.evidence for answer in answers if answer.outcome is outcome])
    return CheckpointVerdict(text, outcome, evidence, VISION, kind), share


def _safety(said: Judgment) -> str | None:
    note = said.safety_note
    return None if note is None or note.strip(" .").lower() in _NOTHING else note


def _first(texts: Sequence[str | None]) -> str | None:
    return next((text for text in texts if text is not None), None)


def without_reasoning(verdict: Verdict) -> Verdict:
    """Return a verdict without evidence and summary."""
    return replace(
        verdict,
        scores={name: replace(one, evidence=None) for name, one in verdict.scores.items()},
        checkpoints=tuple(replace(one, evidence=None) for one in verdict.checkpoints),
        summary=None,
    )
