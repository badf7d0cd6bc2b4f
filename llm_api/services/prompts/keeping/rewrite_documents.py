"""Writes rewrites as JSON, and reads them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from llm_api.domain.calls import CallReport, TokenUsage
from llm_api.domain.storyboards import Shot, Storyboard
from llm_api.services.prompts.checks.violations import Violation
from llm_api.services.prompts.rewrite_result import RewriteResult

# A repeat has called nobody.
_NO_CALL = CallReport(usage=TokenUsage(0, 0))


def document_of(result: RewriteResult) -> dict[str, Any]:
    """Return what answers are made of; without the call, which later answers did not make."""
    return {
        "rewrites": list(result.rewrites),
        "improvements": list(result.improvements),
        "repairs": list(result.repairs),
        "violations": [violation.code for violation in result.violations],
        "first_violations": [violation.code for violation in result.first_violations],
        "method": result.method,
        "version": result.version,
        "model": result.model,
        "rewrite_id": result.rewrite_id,
        "text": result.text,
        "sight": result.sight,
        "others": list(map(document_of, result.others)),
        "storyboard": None if result.storyboard is None else asdict(result.storyboard),
    }


def repeated(result: RewriteResult) -> RewriteResult:
    """Return a result as it is answered to another request for the same."""
    return replace(result, is_repeat=True, report=_NO_CALL)


def result_of(document: Mapping[str, Any]) -> RewriteResult:
    """Read a rewrite."""
    result = RewriteResult(
        rewrites=document["rewrites"],
        improvements=document["improvements"],
        repairs=document["repairs"],
        violations=[_known(code) for code in document["violations"]],
        first_violations=[_known(code) for code in document["first_violations"]],
        method=document["method"],
        version=document["version"],
        model=document["model"],
        rewrite_id=document["rewrite_id"],
        # Those that were kept before there were several targets, or edits, have none of these.
        text=document.get("text", ""),
        sight=document.get("sight", ""),
        others=tuple(map(result_of, document.get("others", ()))),
        storyboard=_storyboard(document.get("storyboard")),
    )
    return repeated(result)


def _storyboard(document: Mapping[str, Any] | None) -> Storyboard | None:
    if document is None:
        return None
    return Storyboard(**{**document, "shots": [Shot(**shot) for shot in document["shots"]]})


def _known(code: str) -> Violation:
    """Return a violation of which the code is all that answers have; it may be one of old rules."""
    return Violation(code, "", "", is_hard=False)
