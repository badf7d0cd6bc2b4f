"""Writes jobs as the image routes answer them: pictures, tasks and previews."""

from typing import Any

from llm_api.domain.tasks import TaskState
from llm_api.services.images import ImageJob, JobPreview, MadePicture
from llm_api.web.images.base64_bodies import Base64Of
from llm_api.web.images.picture_parts import TASKS_PATH, failure, is_sketch, sketch_fields
from llm_api.web.making.answer_parts import file_path, warning
from llm_api.web.rest.tasks.task_answers import error_fields, request_id


def generation(job: ImageJob, *, wants_links: bool) -> dict[str, Any]:
    """Return the answer of a job that has pictures; with `Base64Of` unless it `wants_links`."""
    answer = {
        "id": job.id,
        "object": "image.generation",
        "status": "completed",
        "created": int(job.created_at.timestamp()),
        "model": job.model,
        "prompt": _prompt(
            job.prompt_original, job.prompt_used, job.vendor_prompt, job.is_optimized
        ),
        "data": [_picture(picture, wants_links=wants_links) for picture in job.pictures],
        "failed": [failure(index, why) for index, why in job.failed],
        "warnings": [warning(notice) for notice in job.notices],
        "usage": _usage(job),
        "expires_at": int(job.expires_at.timestamp()),
        "upstream_ms": job.upstream_ms,
        "request_id": request_id(),
    }
    return answer | sketch_fields(job)


def task(job: ImageJob) -> dict[str, Any]:
    """Return the state of a job, and its pictures where there are any."""
    return {
        "id": job.id,
        "object": "image.task",
        "status": status_of(job.state),
        "created": int(job.created_at.timestamp()),
        "model": job.model,
        "poll_url": f"{TASKS_PATH}{job.id}",
        "poll_after_ms": None if job.state.has_ended else job.poll_after_ms,
        "result": generation(job, wants_links=True) if job.state is TaskState.SUCCEEDED else None,
        "error": None if job.error is None else error_fields(job.error),
        "warnings": [warning(notice) for notice in job.notices],
        "expires_at": int(job.expires_at.timestamp()),
        "request_id": request_id(),
    }


def preview(shown: JobPreview) -> dict[str, Any]:
    """Return what would be sent."""
    return {
        "object": "image.preview",
        "model": shown.model,
        "upstream": shown.upstream,
        "prompt": _prompt(shown.prompt_original, shown.prompt_used, None, shown.is_optimized),
        "warnings": [warning(notice) for notice in shown.notices],
        "requests": list(shown.requests),
        "cost_micros": shown.cost_micro,
        "currency": shown.currency,
        "request_id": request_id(),
    }


def _prompt(
    original: str,
    used: str,
    vendor_rewritten: str | None,
    is_optimized: bool,  # noqa: FBT001  # in the order of the fields
) -> dict[str, Any]:
    return {
        "original": original,
        "used": used,
        "optimized": is_optimized,
        "vendor_rewritten": vendor_rewritten,
    }


def _picture(picture: MadePicture, *, wants_links: bool) -> dict[str, Any]:
    file = picture.file
    return {
        "index": picture.index,
        "url": file_path(file) if wants_links else None,
        "b64_json": None if wants_links else Base64Of(file),
        "mime_type": file.media_type,
        "width": file.width,
        "height": file.height,
        "bytes": file.size_bytes,
        "seed": picture.seed,
        "revised_prompt": picture.revised_prompt,
    }


def _usage(job: ImageJob) -> dict[str, Any]:
    usage = job.usage
    counts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    return {
        "images": usage.images,
        "input_images": usage.input_images,
        "pixels": usage.pixels,
        "tokens": None if set(counts.values()) == {None} else counts,
        "vendor": {} if is_sketch(job) else dict(usage.raw),
        "cost_micros": job.cost_micro,
        "currency": job.currency,
    }


def status_of(state: TaskState) -> str:
    """Return the word for a state in answers."""
    return "completed" if state is TaskState.SUCCEEDED else state.value
