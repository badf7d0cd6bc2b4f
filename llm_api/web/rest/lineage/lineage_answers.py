"""Writes lineages as they are answered."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from llm_api.domain.lineage import (
    COMPARISON,
    DESCRIPTION,
    FEEDBACK,
    PICTURES,
    REWRITE,
    VERDICT,
    LineageEvent,
)
from llm_api.domain.money import decimal_text
from llm_api.domain.timestamps import utc_text
from llm_api.services.lineage.lineage_service import Lineage

# The facts of each kind that are answered, in their order.
_REWRITE = (
    "request_id",
    "type",
    "target_model",
    "language",
    "method",
    "template_version",
    "model",
    "arm",
    "is_repeat",
    "passed",
    "problems",
)
_PICTURES = (
    "request_id",
    "model",
    "upstream",
    "n",
    "failed",
    "is_optimized",
    "picture_ids",
    "reason",
)
_VERDICT = (
    "request_id",
    "picture_id",
    "method",
    "model",
    "passed",
    "overall",
    "coverage",
    "confidence",
    "samples",
    "rubric_version",
)
_COMPARISON = (
    "request_id",
    "mode",
    "model",
    "picture_ids",
    "ranking",
    "wins",
    "consistent",
    "confidence",
    "samples",
    "rubric_version",
)
_DESCRIPTION = (
    "request_id",
    "picture_id",
    "type",
    "target_model",
    "language",
    "template_version",
    "model",
    "passed",
    "problems",
)
_FEEDBACK = ("picture_id", "outcome", "score", "edited_length", "changed")
_MICRO = "cost_micro"


def lineage_answer(lineage: Lineage) -> dict[str, Any]:
    """Return the fields of the answer, but for the request's id."""
    paid = [event for event in lineage.events if event.kind != FEEDBACK]
    return {
        "lineage_id": lineage.id,
        "rewrites": [_paid(event, _REWRITE) for event in lineage.of_kind(REWRITE)],
        "pictures": [
            {"job_id": event.job_id, **_paid(event, _PICTURES)}
            for event in lineage.of_kind(PICTURES)
        ],
        "verdicts": [_verdict(event) for event in lineage.of_kind(VERDICT)],
        "comparisons": [_paid(event, _COMPARISON) for event in lineage.of_kind(COMPARISON)],
        "descriptions": [_paid(event, _DESCRIPTION) for event in lineage.of_kind(DESCRIPTION)],
        "feedback": [feedback_answer(event) for event in lineage.of_kind(FEEDBACK)],
        "cost": _sums(paid),
        "unpriced": sum(event.facts.get(_MICRO) is None for event in paid if _is_paid(event)),
    }


def feedback_answer(event: LineageEvent) -> dict[str, Any]:
    """Return what a person has said."""
    return {
        "lineage_id": event.lineage_id,
        "job_id": event.job_id,
        **_event(event, _FEEDBACK),
    }


def _verdict(event: LineageEvent) -> dict[str, Any]:
    points = event.facts.get("checkpoints") or []
    return {"job_id": event.job_id, **_paid(event, _VERDICT), "checkpoints": points}


def _event(event: LineageEvent, names: Sequence[str]) -> dict[str, Any]:
    about = {"at": utc_text(event.at), "key_id": event.key_id}
    texts = {"texts": dict(event.texts)} if event.texts else {}
    return {**about, **{name: event.facts.get(name) for name in names}, **texts}


def _paid(event: LineageEvent, names: Sequence[str]) -> dict[str, Any]:
    cost = {"cost_micros": event.facts.get(_MICRO), "currency": event.facts.get("currency")}
    return {**_event(event, names), **cost}


def _is_paid(event: LineageEvent) -> bool:
    """Whether an event has a cost, known or not: what called no model has none."""
    return event.facts.get("model") is not None


def _sums(events: Sequence[LineageEvent]) -> list[dict[str, Any]]:
    micro: Counter[str] = Counter()
    for event in events:
        # A rewrite that was there already cost nothing, in no currency.
        if event.facts.get("currency") is not None:
            micro[str(event.facts.get("currency"))] += int(event.facts.get(_MICRO) or 0)
    return [
        {"currency": currency, "micro": total, "amount": decimal_text(total)}
        for currency, total in sorted(micro.items())
    ]
