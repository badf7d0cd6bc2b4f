"""What a lineage has of verdicts, and of comparisons."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from llm_api.domain.calls import Caller
from llm_api.domain.judging import (
    Comparison,
    JudgedPicture,
    JudgeRequest,
    Ranking,
    Verdict,
)
from llm_api.domain.lineage import COMPARISON, VERDICT, LineageEvent


def verdict_event(picture: JudgedPicture, verdict: Verdict, caller: Caller) -> LineageEvent:
    """Return the event of a verdict; without a lineage where that of the picture's job is meant."""
    own = "" if picture.job_id else caller.request_id
    facts = {
        "request_id": caller.request_id,
        "method": verdict.method,
        "model": verdict.model,
        "passed": verdict.passed,
        "overall": verdict.overall,
        "coverage": verdict.coverage,
        "confidence": verdict.confidence,
        "samples": verdict.samples_used,
        "rubric_version": verdict.rubric_version,
        "checkpoints": [asdict(point) for point in verdict.checkpoints],
        "picture_id": picture.file_id,
        "cost_micro": verdict.cost_micro,
        "currency": verdict.currency,
    }
    points = {f"checkpoints[{i}]": point.text for i, point in enumerate(verdict.checkpoints)}
    return LineageEvent(
        caller.lineage_id or own,
        VERDICT,
        None if caller.key is None else caller.key.id,
        datetime.now(UTC),
        facts=facts,
        texts={"summary": verdict.summary or "", **points},
        job_id=picture.job_id,
    )


def comparison_event(
    request: JudgeRequest, found: Comparison | Ranking, caller: Caller
) -> LineageEvent:
    """Return the event of pictures that were compared or ranked.

    Its pictures may be of several jobs: none of their lineages is meant, and where the call names
    none it has one of its own.
    """
    facts = {
        "request_id": caller.request_id,
        **_order(found),
        "consistent": found.is_consistent,
        "confidence": found.confidence,
        "samples": found.samples_used,
        "model": found.model,
        "rubric_version": found.rubric_version,
        "picture_ids": [one.file_id for one in request.pictures],
        "cost_micro": found.cost_micro,
        "currency": found.currency,
    }
    return LineageEvent(
        caller.lineage_id or caller.request_id,
        COMPARISON,
        None if caller.key is None else caller.key.id,
        datetime.now(UTC),
        facts=facts,
        texts={"summary": found.summary or ""} if isinstance(found, Comparison) else {},
    )


def _order(found: Comparison | Ranking) -> dict[str, Any]:
    """Return which picture has won against which; of a tie there is no order."""
    if isinstance(found, Ranking):
        return {"mode": "rank", "ranking": list(found.ranking), "wins": list(found.wins)}
    winner = found.winner
    if winner is None:
        return {"mode": "compare", "ranking": [], "wins": [0.5, 0.5]}
    return {
        "mode": "compare",
        "ranking": [winner, 1 - winner],
        "wins": [float(winner == place) for place in (0, 1)],
    }
