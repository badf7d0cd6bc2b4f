"""Rewrites, verdicts, comparisons and feedback are counted by the facts of their events."""

from datetime import UTC, datetime
from typing import Any

from llm_api.domain.lineage import LineageEvent
from llm_api.observability.metrics import Metrics
from llm_api.services.lineage.facts import facts_of
from llm_api.services.usage.lineage_counts import count_event
from tests.observability.test_metrics import shown
from tests.support.tables import each

REWRITE = {"arm": "rewrite", "passed": True, "problems": [], "is_repeat": False, "repairs": 0}
CASES: list[tuple[str, dict[str, Any], tuple[str, ...] | None]] = [
    ("rewrite", REWRITE, ("rewrites_total", "delivered", "")),
    ("rewrite", REWRITE | {"repairs": 2}, ("rewrites_total", "repaired", "")),
    ("rewrite", REWRITE | {"is_repeat": True}, ("rewrites_total", "repeat", "")),
    (
        "rewrite",
        REWRITE | {"passed": False, "problems": ["echo", "too_long"]},
        ("rewrites_total", "fallback", "echo"),
    ),
    (
        "rewrite",
        REWRITE | {"passed": False, "problems": ["control_arm"], "arm": "control"},
        ("rewrites_total", "control", ""),
    ),
    ("verdict", {"passed": True, "method": "vision"}, ("verdicts_total", "vision", "passed")),
    ("verdict", {"passed": False, "method": "vision"}, ("verdicts_total", "vision", "failed")),
    (
        "verdict",
        {"passed": None, "method": "measured"},
        ("verdicts_total", "measured", "undecided"),
    ),
    (
        "comparison",
        {"mode": "compare", "wins": [0.0, 1.0]},
        ("comparisons_total", "compare", "decided"),
    ),
    (
        "comparison",
        {"mode": "rank", "wins": [1.5, 0.0, 1.5]},
        ("comparisons_total", "rank", "undecided"),
    ),
    ("feedback", {"outcome": "accepted"}, ("feedback_total", "accepted")),
    ("pictures", {"n": 2}, None),
]


@each(("kind", "facts", "expected"), CASES)
def test_an_event_is_counted(
    kind: str, facts: dict[str, Any], expected: tuple[str, ...] | None
) -> None:
    metrics = Metrics()

    count_event(metrics, LineageEvent("l", kind, None, datetime.now(UTC), facts=facts))

    found = {key for key, value in shown(metrics).items() if value and "build" not in key[0]}
    assert found == ({(f"llm_api_{expected[0]}", *expected[1:])} if expected else set())


def test_how_often_a_rewrite_was_repaired_is_not_stored() -> None:
    assert "repairs" not in facts_of("rewrite", REWRITE)
