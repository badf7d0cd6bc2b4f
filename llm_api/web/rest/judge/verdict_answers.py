"""Writes what was judged as an answer."""

from typing import Any

from llm_api.domain.calls import CallReport
from llm_api.domain.judging import (
    CheckpointVerdict,
    Comparison,
    DimensionScore,
    Outcome,
    Ranking,
    Verdict,
)
from llm_api.web.rest.judge.measurement_schemas import measured_fields
from llm_api.web.rest.judge.verdict_schemas import TIE

_SCALE = (0, 100)
_PASSED = {Outcome.PASSED: True, Outcome.FAILED: False, Outcome.UNKNOWN: None}


def judged(
    answer: Verdict | Comparison | Ranking, report: CallReport, latency_ms: int, request_id: str
) -> dict[str, Any]:
    """Return the fields of an answer.

    Args:
        answer: what was judged.
        report: of all calls together.
        latency_ms: how long it took, in milliseconds.
        request_id: of the request.
    """
    return {
        **_of(answer),
        "usage": _usage(answer, report),
        "latency_ms": latency_ms,
        "request_id": request_id,
    }


def verdict_answer(verdict: Verdict) -> dict[str, Any]:
    """Return the fields of a verdict, without what is known of its calls."""
    fields = {
        "method": verdict.method,
        "overall": verdict.overall,
        "scale": _SCALE,
        "passed": verdict.passed,
        "scores": {name: _score(one) for name, one in verdict.scores.items()},
        "checkpoints": [_checkpoint(one) for one in verdict.checkpoints],
        "coverage": verdict.coverage,
        "issues": [
            {"type": one.type, "severity": one.severity, "where": one.where}
            for one in verdict.issues
        ],
        "safety_note": verdict.safety_note,
        "summary": verdict.summary,
        **_common(verdict),
    }
    if verdict.measurements is not None:
        fields["measurements"] = measured_fields(verdict.measurements)
    return fields


def _of(answer: Verdict | Comparison | Ranking) -> dict[str, Any]:
    if isinstance(answer, Verdict):
        return verdict_answer(answer)
    own: dict[str, Any]
    if isinstance(answer, Ranking):
        own = {"ranking": answer.ranking, "wins": answer.wins, "summary": None}
    else:
        votes = [_place(vote) for vote in answer.votes]
        own = {"winner": _place(answer.winner), "votes": votes, "summary": answer.summary}
    return {**own, "consistent": answer.is_consistent, **_common(answer)}


def _common(answer: Verdict | Comparison | Ranking) -> dict[str, Any]:
    return {
        "confidence": answer.confidence,
        "samples_used": answer.samples_used,
        "model": answer.model,
        "rubric_version": answer.rubric_version,
        "rubric_language": answer.rubric_language,
        "warnings": answer.warnings,
    }


def _score(score: DimensionScore) -> dict[str, Any]:
    return {
        "score": score.score,
        "level": score.level,
        "evidence": score.evidence,
        "spread": score.spread,
    }


def _checkpoint(one: CheckpointVerdict) -> dict[str, Any]:
    return {
        "text": one.text,
        "passed": _PASSED[one.outcome],
        "evidence": one.evidence,
        "source": one.source,
        "kind": one.kind,
    }


def _usage(answer: Verdict | Comparison | Ranking, report: CallReport) -> dict[str, Any]:
    counts = (report.usage.prompt_tokens, report.usage.completion_tokens)
    return {
        "prompt_tokens": counts[0],
        "completion_tokens": counts[1],
        "total_tokens": None if None in counts else sum(counts),
        "calls": len(report.attempts),
        "cost_micro": answer.cost_micro,
        "currency": answer.currency,
    }


def _place(winner: int | None) -> int | str:
    return TIE if winner is None else winner
