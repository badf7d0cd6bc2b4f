"""Tells a caller who asks for it how a rewrite was made."""

from collections.abc import Mapping
from typing import Any

from llm_api.domain.calls import CallReport
from llm_api.services.prompts.rewriter import RewriteResult
from llm_api.services.prompts.strategies.facets import all_facets
from llm_api.services.prompts.task import Task

FALLBACK = "fallback"


def details(task: Task, rewriting: RewriteResult, seconds: float) -> Mapping[str, Any]:
    """Return the `details` of an answer that took so many seconds."""
    rewrite = rewriting.rewrites[0] if rewriting.rewrites else task.prompt
    return {
        "language": task.language if rewriting.rewrites else task.locks.language,
        "method": rewriting.method if rewriting.rewrites else FALLBACK,
        "target_model": task.target.name,
        "kept": task.locks.as_words(),
        "added": list(all_facets().added(task.wanted.type, task.source, rewrite)),
        "checks": {
            "passed": bool(rewriting.rewrites),
            "problems": [one.code for one in rewriting.problems],
            "first_problems": [one.code for one in rewriting.first_problems],
        },
        "repaired": list(rewriting.repairs),
        "model": rewriting.model,
        **_measured(rewriting.report, seconds),
        "prompt_version": rewriting.version,
        "notes": [task.target.note] if task.target.note else [],
    }


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
