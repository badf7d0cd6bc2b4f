"""What has become of a job: its pictures by their places, its state, and its error."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llm_api.domain.calls import CallReport, Fallback, Timing
from llm_api.domain.files import StoredFile
from llm_api.domain.images import Notice, PictureFailure
from llm_api.domain.lineage import PICTURES, LineageEvent
from llm_api.domain.tasks import Task, TaskState
from llm_api.errors import ApiError
from llm_api.services.images.bills import usage_of
from llm_api.services.images.document import UNKNOWN, JobDocument, KnownError, Part
from llm_api.services.images.job import ImageJob, MadePicture

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


def failures_of(part: Part) -> list[PictureFailure]:
    """Return why pictures of a part are missing, one a picture."""
    missing = part.count - len(part.kept) - len(part.failed)
    if part.error is None or missing <= 0:
        return list(part.failed)
    error = part.error
    whole = PictureFailure(error.reason, error.message, error.retryable, error.stage, error.what)
    return [*part.failed, *[whole] * missing]


def _errors(document: JobDocument) -> list[KnownError]:
    """Return why pictures are missing, as errors."""
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


def error_of(document: JobDocument) -> ApiError | None:
    """Return the error of a job without pictures: the commonest; None where it has some.

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


def _may_have_charged(document: JobDocument) -> bool:
    return any(part.state == UNKNOWN or part.delivered for part in document.parts)


def state_of(document: JobDocument, *, has_time: bool) -> TaskState:
    """Return the state of a job whose parts have ended."""
    if any(part.kept for part in document.parts):
        return TaskState.SUCCEEDED
    error = error_of(document)
    if error is not None and error.reason == "cancelled":
        return TaskState.CANCELLED
    is_late = error is not None and error.reason == _EXPIRED and not has_time
    return TaskState.EXPIRED if is_late else TaskState.FAILED


def report_of(document: JobDocument) -> CallReport:
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


def report_of_end(document: JobDocument, error: ApiError | None) -> Mapping[str, Any]:
    """Return what a webhook says of a job that has ended: nothing of its prompt."""
    kept = [one.file_id for part in document.parts for one in part.kept]
    told = None if error is None else {"reason": error.reason, "message": error.message}
    return {
        "files": kept,
        "failed": sum(part.count for part in document.parts) - len(kept),
        "error": told,
    }


def pictures_event(task: Task, document: JobDocument, error: ApiError | None) -> LineageEvent:
    """Return what a lineage has of a job that has ended; it is the same where it ends twice."""
    kept = [one for part in document.parts for one in part.kept]
    facts = {
        "model": document.fitted.model,
        "upstream": document.upstream,
        "n": len(kept),
        "failed": sum(part.count for part in document.parts) - len(kept),
        "is_optimized": document.request.is_optimized,
        "picture_ids": [one.file_id for one in kept],
        "reason": None if error is None else error.reason,
        "request_id": task.request_id,
        "cost_micro": document.cost_micro,
        "currency": document.currency,
    }
    texts = {f"revised_prompt[{i}]": one.prompt or "" for i, one in enumerate(kept)}
    return LineageEvent(
        task.lineage_id or task.request_id,
        PICTURES,
        task.key_id,
        datetime.now(UTC),
        facts=facts,
        texts={"prompt": document.request.prompt, **texts},
        id=task.id,
        job_id=task.id,
    )


def _by_places(
    document: JobDocument, files: Mapping[str, StoredFile]
) -> tuple[list[MadePicture], list[tuple[int, PictureFailure]]]:
    """Return the pictures and the failures, each with its place among those that were wanted."""
    pictures: list[MadePicture] = []
    failed: list[tuple[int, PictureFailure]] = []
    place = 0
    for part in document.parts:
        kept = [one for one in part.kept if one.file_id in files]
        pictures += [
            MadePicture(files[one.file_id], place + i, one.seed, one.prompt)
            for i, one in enumerate(kept)
        ]
        missing = failures_of(part)
        failed += [(place + len(part.kept) + i, one) for i, one in enumerate(missing)]
        place += part.count
    return pictures, failed


def _of_other_sizes(document: JobDocument) -> list[Notice]:
    """Return a notice where the vendor has made another size than it was asked for."""
    asked = document.fitted.size
    others = [str(size) for size in document.sizes if asked is not None and size != asked]
    if not others:
        return []
    message = f"The model made {', '.join(dict.fromkeys(others))} where it was asked for {asked}."
    return [Notice("size", "adapted", message)]


def job_of(task: Task, document: JobDocument, files: Sequence[StoredFile]) -> ImageJob:
    """Return what callers see of a task; `files` are those of the task."""
    pictures, failed = _by_places(document, {file.id: file for file in files})
    usage = usage_of(document.parts)
    error = error_of(document) if task.state.has_ended else None
    report = report_of(document)
    prompts = [one.revised_prompt for one in pictures if one.revised_prompt]
    fields = document.fitted.fields
    return ImageJob(
        id=task.id,
        state=task.state,
        created_at=task.created_at,
        expires_at=task.expires_at,
        model=document.fitted.model,
        upstream=document.upstream,
        prompt_original=document.prompt_original,
        prompt_used=document.fitted.prompt,
        request_id=task.request_id,
        requested_model=document.requested_model,
        kind=str(usage.raw.get("kind", "image")),
        is_optimized=document.request.is_optimized,
        vendor_prompt=prompts[0] if prompts else None,
        pictures=tuple(pictures),
        failed=tuple(failed),
        notices=(*document.notices, *document.fitted.notices, *_of_other_sizes(document)),
        details=usage.raw,
        quality=fields.get("quality"),
        output_format=document.fitted.convert_to or fields.get("output_format"),
        background=fields.get("background"),
        usage=usage,
        cost_micro=document.cost_micro,
        currency=document.currency,
        upstream_ms=sum(part.ms for part in document.parts),
        error=None if error is None else error.replaced(report=report),
        report=report,
    )
