"""What has become of a job: its state, and its error."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from llm_api.domain.calls import CallReport, Fallback, Timing
from llm_api.domain.lineage import PICTURES, LineageEvent
from llm_api.domain.making import MakingFailure
from llm_api.domain.tasks import Task, TaskState
from llm_api.errors import ApiError
from llm_api.services.jobs.document import UNKNOWN, JobDocument, KnownError, Part
from llm_api.services.jobs.rows import usage_of

_STATUS_BY_REASON = {
    "content_filtered": 400,
    "invalid_size": 400,
    "invalid_request": 400,
    "invalid_image": 400,
    "upstream_rate_limited": 429,
    "overloaded": 503,
    "upstream_timeout": 504,
    "result_expired": 410,
}
_EXPIRED = "upstream_timeout"
_EXPIRED_THERE = frozenset(["task_expired", "task_not_found"])


def failures_of(part: Part) -> list[MakingFailure]:
    """Return why what a part was to make is missing, one a picture."""
    missing = part.count - len(part.kept) - len(part.failed)
    if part.error is None or missing <= 0:
        return list(part.failed)
    error = part.error
    whole = MakingFailure(error.reason, error.message, error.retryable, error.stage, error.what)
    return [*part.failed, *[whole] * missing]


def _errors(document: JobDocument[Any]) -> list[KnownError]:
    """Return why something is missing, as errors."""
    found: list[KnownError] = []
    for part in document.parts:
        if part.error is not None:
            found += [part.error] * part.count
            continue
        found += [
            KnownError(
                _STATUS_BY_REASON.get(one.reason, 502),
                one.reason,
                one.message,
                one.retryable,
                stage=one.stage,
                what=one.what,
            )
            for one in part.failed
        ]
    return found


def error_of(document: JobDocument[Any]) -> ApiError | None:
    """Return the error of a job that has made nothing: the commonest; None where it has something.

    After fallbacks it is how the requested model has failed.
    """
    if any(part.kept for part in document.parts):
        return None
    errors = _errors(document)
    if document.failed_before is not None and not _may_have_charged(document):
        return document.failed_before.error()
    if not errors:
        return None
    reason = Counter(error.reason for error in errors).most_common(1)[0][0]
    chosen = next(error for error in errors if error.reason == reason).error()
    if _may_have_charged(document):
        # A repeat could be paid twice.
        return chosen.replaced(may_have_charged=True, retries_exhausted=True)
    return chosen


def _may_have_charged(document: JobDocument[Any]) -> bool:
    return any(part.state == UNKNOWN or part.delivered for part in document.parts)


def state_of(document: JobDocument[Any], *, has_time: bool) -> TaskState:
    """Return the state of a job whose parts have ended."""
    if any(part.kept for part in document.parts):
        return TaskState.SUCCEEDED
    error = error_of(document)
    if error is not None and error.reason == "cancelled":
        return TaskState.CANCELLED
    if error is not None and error.reason in _EXPIRED_THERE:
        return TaskState.EXPIRED
    is_late = error is not None and error.reason == _EXPIRED and not has_time
    return TaskState.EXPIRED if is_late else TaskState.FAILED


def report_of(document: JobDocument[Any]) -> CallReport:
    """Return what is known of the calls of a job."""
    fallback = None
    if document.failed_before is not None and document.attempts:
        first = document.attempts[0]
        fallback = Fallback(
            requested_upstream=first.upstream,
            requested_model=first.model,
            used_upstream=document.upstream,
            used_model=document.fitted.model,
            reason=document.failed_before.reason,
        )
    spent = sum(part.ms for part in document.parts) / 1000
    return CallReport(document.attempts, Timing(upstream=spent), fallback=fallback)


def facts_of(task: Task, document: JobDocument[Any]) -> dict[str, Any]:
    """Return what callers see of a task whatever it makes, by the names of the fields of Job."""
    error = error_of(document) if task.state.has_ended else None
    report, usage = report_of(document), usage_of(document.parts)
    return {
        "id": task.id,
        "state": task.state,
        "created_at": task.created_at,
        "expires_at": task.expires_at,
        "model": document.fitted.model,
        "upstream": document.upstream,
        "prompt_original": document.prompt_original,
        "prompt_used": document.fitted.prompt,
        "request_id": task.request_id,
        "requested_model": document.requested_model,
        "is_optimized": document.request.is_optimized,
        "notices": (*document.notices, *document.fitted.notices),
        "details": usage.raw,
        "usage": usage,
        "cost_micro": document.cost_micro,
        "currency": document.currency,
        "upstream_ms": sum(part.ms for part in document.parts),
        "error": None if error is None else error.replaced(report=report),
        "report": report,
    }


def event_of(
    task: Task,
    document: JobDocument[Any],
    error: ApiError | None,
    facts: Mapping[str, Any],
    texts: Mapping[str, str],
) -> LineageEvent:
    """Return what a lineage has of a job that has ended; it is the same where it ends twice.

    `facts` and `texts` are of what it makes, beside those of all jobs.
    """
    made = sum(len(part.kept) for part in document.parts)
    shared = {
        "model": document.fitted.model,
        "upstream": document.upstream,
        "n": made,
        "failed": sum(part.count for part in document.parts) - made,
        "is_optimized": document.request.is_optimized,
        "reason": None if error is None else error.reason,
        "request_id": task.request_id,
        "cost_micro": document.cost_micro,
        "currency": document.currency,
    }
    return LineageEvent(
        task.lineage_id or task.request_id,
        PICTURES,
        task.key_id,
        datetime.now(UTC),
        facts={**shared, **facts},
        texts={"prompt": document.request.prompt, **texts},
        id=task.id,
        job_id=task.id,
    )


def report_of_end(document: JobDocument[Any], error: ApiError | None) -> Mapping[str, Any]:
    """Return what a webhook says of a job that has ended: nothing of its prompt."""
    kept = [one.file_id for part in document.parts for one in part.kept]
    told = None if error is None else {"reason": error.reason, "message": error.message}
    return {
        "files": kept,
        "failed": sum(part.count for part in document.parts) - len(kept),
        "error": told,
    }
