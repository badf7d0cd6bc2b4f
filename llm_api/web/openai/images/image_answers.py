"""Writes jobs as OpenAI's image routes answer them.

An item of `data` is always a picture: the AI SDK fails the whole call over one that is none.
Pictures that were not made stand in `failed`, which all clients pass over.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llm_api.domain.making import Notice
from llm_api.services.images import ImageJob, MadePicture
from llm_api.web.images.base64_bodies import Base64Of
from llm_api.web.images.picture_parts import failure, sketch_fields
from llm_api.web.making.answer_parts import file_path, warning

_DETAILS = ("input_tokens_details", "output_tokens_details")


def images_answer(
    job: ImageJob, notices: Sequence[Notice], origin: str, *, wants_links: bool
) -> dict[str, Any]:
    """Return the answer of a job that has pictures.

    `origin` is that of the request, such as `http://localhost:8000`: some clients fetch from there
    only. `notices` are all that the caller must know.
    """
    return {
        "created": int(job.created_at.timestamp()),
        "data": [picture(job, made, origin, wants_links=wants_links) for made in job.pictures],
        "id": job.id,
        "model": job.model,
        **properties(job, job.pictures[0]),
        **closing(job, notices),
    }


def picture(job: ImageJob, made: MadePicture, origin: str, *, wants_links: bool) -> dict[str, Any]:
    """Return a picture, as its link or as `Base64Of`."""
    source: dict[str, Any] = (
        {"url": f"{origin}{file_path(made.file)}"}
        if wants_links
        else {"b64_json": Base64Of(made.file)}
    )
    prompt = made.revised_prompt or (job.prompt_used if job.is_optimized else None)
    return source | ({"revised_prompt": prompt} if prompt else {})


def properties(job: ImageJob, made: MadePicture) -> dict[str, Any]:
    """Return what is known of a picture."""
    file = made.file
    known = {
        "size": f"{file.width}x{file.height}" if file.width and file.height else None,
        "quality": job.quality,
        "background": job.background,
        "output_format": file.media_type.partition("/")[2],
    }
    return {name: value for name, value in known.items() if value is not None} | sketch_fields(job)


def closing(job: ImageJob, notices: Sequence[Notice]) -> dict[str, Any]:
    """Return what is known of the whole job: tokens, pictures that failed, warnings."""
    known: Mapping[str, Any] = {
        "usage": _usage(job),
        "failed": [failure(index, why) for index, why in job.failed],
        "warnings": [warning(notice) for notice in notices],
    }
    return {name: value for name, value in known.items() if value}


def _usage(job: ImageJob) -> dict[str, Any] | None:
    """Return the tokens; None where they are not known, which is not 0."""
    sent, made = job.usage.input_tokens, job.usage.output_tokens
    if sent is None and made is None:
        return None
    details = {name: job.usage.raw[name] for name in _DETAILS if name in job.usage.raw}
    counts = {"input_tokens": sent or 0, "output_tokens": made or 0}
    return {
        **counts,
        "total_tokens": sum(counts.values()),
        **{name: value for name, value in details.items() if isinstance(value, dict)},
    }
