"""What a lineage has of a verdict."""

from dataclasses import asdict
from datetime import UTC, datetime

from llm_api.domain.calls import Caller
from llm_api.domain.judging import JudgedPicture, Verdict
from llm_api.domain.lineage import VERDICT, LineageEvent


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
