"""Describes how a rewrite was made, for requests with `include_details`."""

from collections.abc import Mapping, Sequence
from typing import Any

from llm_api.domain.calls import CallReport
from llm_api.domain.prompts import EDIT
from llm_api.services.prompts.checks.across_languages import find_unchecked
from llm_api.services.prompts.checks.comparison import compare
from llm_api.services.prompts.enrichment.facets import all_facets
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.services.prompts.task import Task

FALLBACK = "fallback"


def details(task: Task, result: RewriteResult, arm: str, *, seconds: float) -> Mapping[str, Any]:
    """Return the `details` of an answer.

    Args:
        task: the prompt and what its rewrite had to satisfy.
        result: the outcome.
        arm: `rewrite`, or `control` for a lineage that keeps its original prompt.
        seconds: the time that it took.
    """
    rewrite = (result.text or result.rewrites[0]) if result.rewrites else task.prompt
    tokens = task.tokens.count(result.rewrites[0] if result.rewrites else task.request.prompt)
    flags = task.fitted.flags
    answered = task.answered_in(rewrite)
    return {
        "language": answered.language if result.rewrites else task.constraints.language,
        "method": result.method if result.rewrites else FALLBACK,
        "arm": arm,
        "target_model": task.target.name,
        "kept": {**task.constraints.in_words, **({"flags": flags} if flags else {})},
        "added": list(_added(task, rewrite)),
        "checks": {
            "passed": bool(result.rewrites),
            "problems": [violation.code for violation in result.violations],
            "first_problems": [violation.code for violation in result.first_violations],
        },
        "unchecked": list(unchecked(task, rewrite)) if result.rewrites else [],
        "repaired": list(result.repairs),
        "tokens": {
            "count": tokens.count,
            "limit": task.tokens.limit,
            "exact": tokens.is_exact,
        },
        "model": result.model,
        **_measured(result.report, seconds),
        "prompt_version": result.version,
        "seed": task.request.seed,
        "rewrite_id": result.rewrite_id,
        "is_repeat": result.is_repeat,
        "notes": [task.target.note] if task.target.note else [],
    }


def _added(task: Task, rewrite: str) -> Sequence[str]:
    """Return the kinds of details that are new: an edit has none of its own."""
    if task.wanted.type == EDIT:
        return ()
    return all_facets().added(task.wanted.type, task.source, rewrite)


def unchecked(task: Task, rewrite: str) -> Sequence[str]:
    """Return what of the prompt could not be looked for in a rewrite, by the kinds of `kept`."""
    task = task.answered_in(rewrite)
    return find_unchecked(compare(task.source, rewrite, task.wanted, task.checked))


def _measured(report: CallReport, seconds: float) -> Mapping[str, Any]:
    usage = report.usage
    return {
        "calls": report.answer_count,
        "usage": _tokens(usage.prompt_tokens, usage.completion_tokens),
        "latency_ms": _times(seconds, report.timing.upstream),
    }


def _tokens(prompt: int | None, completion: int | None) -> Mapping[str, int | None]:
    total = None if prompt is None or completion is None else prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def _times(total: float, upstream: float) -> Mapping[str, float]:
    return {"total": round(total * 1000, 1), "upstream": round(upstream * 1000, 1)}
