"""Decides which picture is accepted, and which is the best."""

from collections.abc import Sequence

from llm_api.domain.judging import Outcome, Verdict
from llm_api.domain.loops import Acceptance
from llm_api.services.loop.loop_document import JudgedFile, LoopTry

_PASSED = {True: 2, None: 1, False: 0}


def is_accepted(verdict: Verdict | None, accept: Acceptance) -> bool:
    """Whether a picture with this verdict ends the loop."""
    if verdict is None or verdict.may_be_unseen:
        return False
    if accept.min_coverage is not None and (verdict.coverage or 0.0) < accept.min_coverage:
        return False
    if accept.min_overall is None and not accept.wants_all_checkpoints:
        return verdict.passed is True
    if accept.min_overall is not None and (
        verdict.overall is None or verdict.overall < accept.min_overall
    ):
        return False
    outcomes = {one.outcome for one in verdict.checkpoints}
    return not accept.wants_all_checkpoints or outcomes == {Outcome.PASSED}


def best_first(pictures: Sequence[JudgedFile], accept: Acceptance) -> list[JudgedFile]:
    """Return pictures, the best first; those of equal worth stay in their order."""
    return sorted(pictures, key=lambda one: _worth(one, accept), reverse=True)


def best_try(tries: Sequence[LoopTry], accept: Acceptance) -> LoopTry | None:
    """Return the try with the best picture, the first of equals; None where there is no picture."""
    made = [one for one in tries if one.pictures]
    return max(
        made, key=lambda one: _worth(best_first(one.pictures, accept)[0], accept), default=None
    )


def _worth(picture: JudgedFile, accept: Acceptance) -> tuple[float, ...]:
    """Return what pictures are compared by.

    An accepted one comes first, then what passed, then fewer failed checkpoints, then the score.
    """
    verdict = picture.verdict
    if verdict is None:
        return (0, -1, 0, 0, 0)
    outcomes = [one.outcome for one in verdict.checkpoints]
    return (
        is_accepted(verdict, accept),
        _PASSED[verdict.passed],
        -outcomes.count(Outcome.FAILED),
        outcomes.count(Outcome.PASSED),
        -1.0 if verdict.overall is None else verdict.overall,
    )
