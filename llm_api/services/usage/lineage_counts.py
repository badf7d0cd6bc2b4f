"""Counts what is recorded in lineages: rewrites, verdicts, comparisons and what people say."""

from llm_api.domain.lineage import (
    COMPARISON,
    CONTROL,
    FEEDBACK,
    REWRITE,
    VERDICT,
    LineageEvent,
)
from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.metrics import Metrics

_OUTCOMES = {True: "passed", False: "failed", None: "undecided"}


def count_event(metrics: Metrics, event: LineageEvent) -> None:
    """Count an event by its facts, which are more than is stored of them."""
    facts = event.facts
    if event.kind == REWRITE:
        outcome, problem = _rewrite(event)
        metrics.of(catalogue.REWRITES, outcome, problem).inc()
    elif event.kind == VERDICT:
        outcome = _OUTCOMES[facts.get("passed")]
        metrics.of(catalogue.VERDICTS, str(facts.get("method")), outcome).inc()
    elif event.kind == COMPARISON:
        first, second = sorted(facts["wins"], reverse=True)[:2]
        outcome = "decided" if first > second else "undecided"
        metrics.of(catalogue.COMPARISONS, str(facts.get("mode")), outcome).inc()
    elif event.kind == FEEDBACK:
        metrics.of(catalogue.FEEDBACK, str(facts.get("outcome"))).inc()


def _rewrite(event: LineageEvent) -> tuple[str, str]:
    """Return what became of a prompt, and of a fallback the first problem; both are of the code."""
    facts = event.facts
    if facts.get("arm") == CONTROL:
        return "control", ""
    if not facts.get("passed"):
        return "fallback", next(iter(facts.get("problems", ())), "")
    if facts.get("is_repeat"):
        return "repeat", ""
    return ("repaired" if facts.get("repairs") else "delivered"), ""
