"""Tells a caller who asks for it how a rewrite was made."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_api.services.prompts.rewriter import RewriteResult
from llm_api.services.prompts.strategies.facets import all_facets
from llm_api.services.prompts.task import Task
from llm_api.services.usage.ledger import AccountedCall

FALLBACK = "fallback"


@dataclass(slots=True)
class Work:
    """The work on one prompt: when it began, and the call that was made for it, if any."""

    began_at: float
    accounted: AccountedCall | None = None

    @property
    def client_deadline_passed(self) -> bool:
        """Whether the time is over that the caller gave it."""
        return self.accounted is not None and self.accounted.upstream_call.client_deadline_passed


def details(task: Task, rewriting: RewriteResult, work: Work) -> Mapping[str, Any]:
    """Return the `details` of an answer."""
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
        **_measured(work),
        "prompt_version": rewriting.version,
        "notes": [task.target.note] if task.target.note else [],
    }


def _measured(work: Work) -> Mapping[str, Any]:
    total = time.monotonic() - work.began_at
    if work.accounted is None:
        return {"calls": 0, "usage": _tokens(None, None), "latency_ms": _times(total, 0.0)}
    usage = work.accounted.usage(is_cut=False)
    return {
        "calls": len(work.accounted.completions),
        "usage": _tokens(usage.prompt_tokens, usage.completion_tokens),
        "latency_ms": _times(total, work.accounted.upstream_call.timing.upstream),
    }


def _tokens(prompt: int | None, completion: int | None) -> Mapping[str, int | None]:
    total = None if prompt is None or completion is None else prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def _times(total: float, upstream: float) -> Mapping[str, float]:
    return {"total": round(total * 1000, 1), "upstream": round(upstream * 1000, 1)}
