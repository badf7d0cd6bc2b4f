"""Writes films as OpenAI's routes answer them: of states they know four.

What was cancelled or has taken too long has failed there, and `error.code` says how.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma

from llm_api.domain.making import Notice
from llm_api.domain.tasks import TaskState
from llm_api.domain.videos import AUTO_SECONDS
from llm_api.services.videos import VideoJob
from llm_api.web.making.answer_parts import warning
from llm_api.web.openai.schemas import OpenAIWarningSchema

# By our names of the fields that these routes call otherwise.
NAMES: Mapping[str, str] = {"duration": "seconds", "first_frame": "input_reference"}
_STATUSES: Mapping[str, str] = {
    "queued": "queued",
    "running": "in_progress",
    "succeeded": "completed",
}
_FAILED = "failed"
# States whose name says more than the reason of their error.
_TOLD = (TaskState.CANCELLED, TaskState.EXPIRED)
_DONE = 100


class OpenAIVideoErrorSchema(ma.Schema):
    """Why a film was not made."""

    code = ma.fields.String(
        required=True, metadata={"description": "The reason; or cancelled, or expired."}
    )
    message = ma.fields.String(required=True)


class OpenAIVideoSchema(ma.Schema):
    """A film on its way, or what has become of it."""

    id = ma.fields.String(required=True, metadata={"example": "video_2b8f0d5f7c3e41a9"})
    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("video",)))
    status = ma.fields.String(
        required=True, validate=ma.validate.OneOf((*_STATUSES.values(), _FAILED))
    )
    progress = ma.fields.Integer(
        required=True, metadata={"description": "Percent; 0 where the vendor does not say."}
    )
    created_at = ma.fields.Integer(required=True)
    completed_at = ma.fields.Integer(required=True, allow_none=True)
    expires_at = ma.fields.Integer(required=True, allow_none=True)
    model = ma.fields.String(required=True)
    prompt = ma.fields.String(required=True)
    seconds = ma.fields.String(required=True, metadata={"example": "5"})
    size = ma.fields.String(required=True, metadata={"example": "1280x720"})
    error = ma.fields.Nested(OpenAIVideoErrorSchema, required=True, allow_none=True)
    remixed_from_video_id = ma.fields.String(required=True, allow_none=True)
    warnings = ma.fields.List(ma.fields.Nested(OpenAIWarningSchema))


class OpenAIVideoListSchema(ma.Schema):
    """Films, the newest first unless the oldest are wanted."""

    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("list",)))
    data = ma.fields.List(ma.fields.Nested(OpenAIVideoSchema), required=True)
    first_id = ma.fields.String(required=True, allow_none=True)
    last_id = ma.fields.String(required=True, allow_none=True)
    has_more = ma.fields.Boolean(required=True)


class OpenAIDeletedVideoSchema(ma.Schema):
    """A film that is not there any more."""

    id = ma.fields.String(required=True)
    object = ma.fields.String(required=True, validate=ma.validate.OneOf(("video.deleted",)))
    deleted = ma.fields.Boolean(required=True)


def video_object(job: VideoJob, notices: Sequence[Notice] = ()) -> dict[str, Any]:
    """Return a film; `notices` are of its request, beside those of the job."""
    warnings = [warning(notice) for notice in (*notices, *notices_of(job))]
    return {
        "id": job.id,
        "object": "video",
        "status": _STATUSES.get(job.status, _FAILED),
        "progress": _DONE if job.state is TaskState.SUCCEEDED else job.progress or 0,
        "created_at": int(job.created_at.timestamp()),
        "completed_at": None if job.ended_at is None else int(job.ended_at.timestamp()),
        "expires_at": int(job.expires_at.timestamp()),
        "model": job.requested_model or job.model,
        "prompt": job.prompt_original,
        "seconds": _seconds(job),
        "size": _size(job),
        "error": _error(job),
        "remixed_from_video_id": None,
        **({"warnings": warnings} if warnings else {}),
    }


def video_list(jobs: Sequence[VideoJob], *, has_more: bool) -> dict[str, Any]:
    """Return a page of films."""
    return {
        "object": "list",
        "data": [video_object(job) for job in jobs],
        "first_id": jobs[0].id if jobs else None,
        "last_id": jobs[-1].id if jobs else None,
        "has_more": has_more,
    }


def notices_of(job: VideoJob) -> list[Notice]:
    """Return what became of fields, by the names that they have on these routes."""
    return [Notice(NAMES.get(one.field, one.field), one.code, one.message) for one in job.notices]


def _seconds(job: VideoJob) -> str:
    asked = job.asked.get("duration", AUTO_SECONDS)
    if asked != AUTO_SECONDS:
        return str(asked)
    made = job.usage.seconds if job.film is None else job.film.seconds
    return "auto" if made is None else f"{made:g}"


def _size(job: VideoJob) -> str:
    file = None if job.film is None else job.film.file
    if file is not None and file.width and file.height:
        return f"{file.width}x{file.height}"
    return "" if job.size is None else str(job.size)


def _error(job: VideoJob) -> dict[str, str] | None:
    if job.error is None and job.state not in _TOLD:
        return None
    code = job.state.value if job.error is None or job.state in _TOLD else job.error.reason
    message = f"The film was {code}." if job.error is None else job.error.message
    return {"code": code, "message": message}
