"""Writes jobs as the routes of films answer them."""

from collections.abc import Sequence
from typing import Any

from llm_api.domain.files import StoredFile
from llm_api.domain.videos import AUTO_SECONDS
from llm_api.services.jobs.job import JobPreview
from llm_api.services.videos import VideoJob
from llm_api.services.videos.video_job import MadeFilm
from llm_api.web.making.answer_parts import file_path, warning
from llm_api.web.rest.tasks.task_answers import error_fields, request_id

VIDEOS_PATH = "/api/v1/videos/"
_ASKED = ("resolution", "aspect_ratio", "duration", "audio", "seed")
AUTO = "auto"  # seconds that the model has chosen


def video_task(job: VideoJob) -> dict[str, Any]:
    """Return a job, and its film where there is one."""
    usage = job.usage
    return {
        "id": job.id,
        "object": "video.task",
        "status": job.status,
        "progress": 100 if job.film is not None else job.progress,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "completed_at": _moment(job.ended_at),
        "model": job.model,
        "prompt": {
            "original": job.prompt_original,
            "used": job.prompt_used,
            "optimized": job.is_optimized,
            "vendor_rewritten": job.vendor_prompt,
        },
        "request": _asked(job),
        "result": None if job.film is None else _film(job.film),
        "error": None if job.error is None else error_fields(job.error),
        "warnings": [warning(notice) for notice in job.notices],
        "usage": {
            "seconds": usage.seconds,
            "tokens": usage.output_tokens,
            "vendor": dict(usage.raw),
            "cost_micros": job.cost_micro,
            "currency": job.currency,
        },
        "poll_url": f"{VIDEOS_PATH}{job.id}",
        "poll_after_ms": None if job.state.has_ended else job.poll_after_ms,
        "expires_at": _moment(job.expires_at),
        "request_id": request_id(),
    }


def video_list(jobs: Sequence[VideoJob], *, has_more: bool) -> dict[str, Any]:
    """Return a page of jobs."""
    return {
        "object": "list",
        "data": [video_task(job) for job in jobs],
        "last_id": jobs[-1].id if jobs else None,
        "has_more": has_more,
        "request_id": request_id(),
    }


def _asked(job: VideoJob) -> dict[str, Any]:
    asked = {name: job.asked.get(name) for name in _ASKED}
    is_free = asked["duration"] == AUTO_SECONDS
    return {**asked, "duration": AUTO if is_free else asked["duration"]}


def video_preview(shown: JobPreview) -> dict[str, Any]:
    """Return what would be sent."""
    return {
        "object": "video.preview",
        "model": shown.model,
        "upstream": shown.upstream,
        "prompt": {
            "original": shown.prompt_original,
            "used": shown.prompt_used,
            "optimized": shown.is_optimized,
            "vendor_rewritten": None,
        },
        "warnings": [warning(notice) for notice in shown.notices],
        "requests": list(shown.requests),
        "cost_micros": shown.cost_micro,
        "currency": shown.currency,
        "request_id": request_id(),
    }


def _film(film: MadeFilm) -> dict[str, Any]:
    file = film.file
    return {
        "url": file_path(file),
        "mime_type": file.media_type,
        "width": file.width,
        "height": file.height,
        "duration": film.seconds,
        "fps": film.fps,
        "bytes": file.size_bytes,
        "last_frame_url": _path(film.beside.get("last_frame")),
        "cover_url": _path(film.beside.get("cover")),
    }


def _path(file: StoredFile | None) -> str | None:
    return None if file is None else file_path(file)


def _moment(moment: Any) -> int | None:
    return None if moment is None else int(moment.timestamp())
