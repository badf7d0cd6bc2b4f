"""What has become of a job for a film."""

from collections.abc import Sequence
from typing import Any

from llm_api.domain.files import StoredFile
from llm_api.domain.lineage import LineageEvent
from llm_api.domain.making import FittedRequest
from llm_api.domain.tasks import Task
from llm_api.errors import ApiError
from llm_api.services.jobs.document import SUBMITTED, VIDEO
from llm_api.services.jobs.outcome import event_of, facts_of
from llm_api.services.videos.video_bills import has_sound
from llm_api.services.videos.video_document import VideoDocument
from llm_api.services.videos.video_job import MadeFilm, VideoJob

_ASKED = ("duration", "resolution", "aspect_ratio", "seed", "fps", "camera_fixed")
# A film takes minutes; what a vendor refuses, it refuses soon.
_LOOKS_SOON_MS, _LOOKS_LATER_MS = 2_000, 5_000


def video_job_of(task: Task, document: VideoDocument, files: Sequence[StoredFile]) -> VideoJob:
    """Return what callers see of a task; `files` are those of the task."""
    [part] = document.parts
    kept = part.kept[0] if part.kept else None
    return VideoJob(
        **facts_of(task, document),
        asked=_asked(document.fitted),
        size=document.fitted.size,
        is_cancelling=task.wants_cancel and not task.state.has_ended and document.cancel is None,
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
    """Return what a lineage has of a job for a film; see `event_of`."""
    kept = [one.file_id for part in document.parts for one in part.kept]
    return event_of(task, document, error, {"kind": VIDEO, "file_ids": kept}, {})
