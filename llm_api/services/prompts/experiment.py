"""Records rewrites in their lineages, and draws the lineages that keep their original prompt."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from llm_api.domain.calls import Caller, CallReport
from llm_api.domain.lineage import REWRITE, LineageEvent
from llm_api.services.lineage.late_records import LateRecords
from llm_api.services.pricing import PriceList
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.details import FALLBACK
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.services.prompts.task import Task

_WHY = "It is in the control arm: the operator leaves a share of prompts as they are, to compare."
# No rewrite is at fault: there is none.
_IN_CONTROL = Violation("control_arm", _WHY, _WHY, is_hard=False)


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is learned from rewrites.

    Attributes:
        records: where they are recorded; None for nowhere.
        control_share: of the lineages that keep their original prompt, from 0 to 1.
        prices: what models cost; None leaves every cost unknown.
    """

    records: LateRecords | None = None
    control_share: float = 0.0
    prices: PriceList | None = None


def lineage_of(caller: Caller) -> str:
    """Return the lineage of a call: its own where the caller has named none."""
    return caller.lineage_id or caller.request_id


def nothing_within(wait_ms: int, report: CallReport) -> RewriteResult:
    """Return the result of a task without an answer in time.

    Args:
        wait_ms: how long was waited, in milliseconds.
        report: that of the upstream call.
    """
    violations = [violation_of("no_answer_in_time", wait_ms)]
    return RewriteResult(
        [], [], [], violations, violations, method="", version="", model="", report=report
    )


def is_control(lineage_id: str, share: float) -> bool:
    """Whether a lineage is among a share of all, which is the same in every process and release.

    Those of a smaller share are among those of a larger one.
    """
    digest = hashlib.sha256(f"control:{lineage_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def not_rewritten() -> RewriteResult:
    """Return the result of a lineage that keeps its original prompt."""
    return RewriteResult([], [], [], [_IN_CONTROL], [], method="", version="", model="")


def rewrite_event(
    task: Task, result: RewriteResult, caller: Caller, arm: str, experiment: Experiment
) -> LineageEvent:
    """Return what a lineage has of a rewrite, or of that there is none."""
    request, rewrites, key = task.request, result.rewrites, caller.key
    cost, currency = (0, None) if result.is_repeat else cost_of(result.report, experiment.prices)
    facts = {
        "type": request.type,
        "target_model": task.target.name,
        "language": task.language if rewrites else task.constraints.language,
        "method": result.method if rewrites else FALLBACK,
        "template_version": result.version or None,
        "model": result.model or None,
        "arm": arm,
        # What was pinned was not drawn for its arm, and is no part of the comparison.
        "control_share": 0.0 if result.is_pinned else experiment.control_share,
        "is_repeat": result.is_repeat,
        "passed": bool(rewrites),
        "repairs": len(result.repairs),
        "problems": [violation.code for violation in result.violations],
        "request_id": caller.request_id,
        "cost_micro": cost,
        "currency": currency,
    }
    best = rewrites[0] if rewrites else request.prompt
    return LineageEvent(
        lineage_of(caller),
        REWRITE,
        None if key is None else key.id,
        datetime.now(UTC),
        facts=facts,
        texts={"original_prompt": request.prompt, "optimized_prompt": best},
        id=f"{caller.request_id}:rewrite",
    )


def cost_of(report: CallReport, prices: PriceList | None) -> tuple[int | None, str | None]:
    """Return what a rewrite has cost in millionths, and the currency; None if not known.

    Where no model was called it is 0, of no currency.
    """
    if not report.attempts:
        return 0, None
    if prices is None:
        return None, None
    today = datetime.now(UTC).date()
    cost = prices.cost(report.attempts[-1].model, report.usage, today)
    return (None, None) if cost is None else cost
