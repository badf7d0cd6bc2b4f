"""What has become of a job for a film."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from llm_api.domain.files import StoredFile
from llm_api.domain.lineage import PICTURES, LineageEvent
from llm_api.domain.making import FittedRequest
from llm_api.domain.tasks import Task
from llm_api.errors import ApiError
from llm_api.services.jobs.document import SUBMITTED
from llm_api.services.jobs.outcome import error_of, report_of
from llm_api.services.jobs.rows import usage_of
from llm_api.services.videos.video_bills import has_sound
from llm_api.services.videos.video_document import VideoDocument
from llm_api.services.videos.video_job import MadeFilm, VideoJob

_ASKED = ("duration", "resolution", "aspect_ratio", "seed", "fps", "camera_fixed")
# A film takes minutes; what a vendor refuses, it refuses soon.
_LOOKS_SOON_MS, _LOOKS_LATER_MS = 2_000, 5_000


def video_job_of(task: Task, document: VideoDocument, files: Sequence[StoredFile]) -> VideoJob:
    """Return what callers see of a task; `files` are those of the task."""
    error = error_of(document) if task.state.has_ended else None
    report = report_of(document)
    [part] = document.parts
    kept = part.kept[0] if part.kept else None
    usage = usage_of(document.parts)
    return VideoJob(
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
        is_optimized=document.request.is_optimized,
        notices=(*document.notices, *document.fitted.notices),
        details=usage.raw,
        usage=usage,
        cost_micro=document.cost_micro,
        currency=document.currency,
        upstream_ms=part.ms,
        error=None if error is None else error.replaced(report=report),
        report=report,
        asked=_asked(document.fitted),
        size=document.fitted.size,
        at_work=part.at_work or (part.state == SUBMITTED and bool(part.found)),
        poll_after_ms=_LOOKS_LATER_MS if part.at_work else _LOOKS_SOON_MS,
        progress=part.progress,
        started_at=task.started_at,
        ended_at=task.ended_at,
        vendor_prompt=None if kept is None else kept.prompt,
        film=_film(document, files),
    )


def _asked(fitted: FittedRequest) -> dict[str, Any]:
    """Return what was sent, as far as the model takes it, and whether there is sound."""
    sent = {name: fitted.fields[name] for name in _ASKED if name in fitted.fields}
    return {**sent, "audio": has_sound(fitted)}


def _film(document: VideoDocument, files: Sequence[StoredFile]) -> MadeFilm | None:
    by_id = {file.id: file for file in files}
    kept = next((one for part in document.parts for one in part.kept if one.file_id in by_id), None)
    if kept is None:
        return None
    beside = {name: by_id[one] for name, one in kept.beside.items() if one in by_id}
    return MadeFilm(by_id[kept.file_id], kept.seconds, kept.fps, beside)


def film_event(task: Task, document: VideoDocument, error: ApiError | None) -> LineageEvent:
    """Return what a lineage has of a job that has ended; it is the same where it ends twice."""
    kept = [one for part in document.parts for one in part.kept]
    facts = {
        "model": document.fitted.model,
        "upstream": document.upstream,
        "kind": "video",
        "n": len(kept),
        "failed": 1 - len(kept),
        "is_optimized": document.request.is_optimized,
        "file_ids": [one.file_id for one in kept],
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
        facts=facts,
        texts={"prompt": document.request.prompt},
        id=task.id,
        job_id=task.id,
    )
