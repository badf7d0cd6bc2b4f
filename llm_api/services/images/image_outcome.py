"""What has become of a job for pictures: they, by their places."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from llm_api.domain.files import StoredFile
from llm_api.domain.lineage import PICTURES, LineageEvent
from llm_api.domain.making import MakingFailure, Notice
from llm_api.domain.tasks import Task
from llm_api.errors import ApiError
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.images.image_job import ImageJob, MadePicture
from llm_api.services.jobs.outcome import error_of, failures_of, report_of
from llm_api.services.jobs.rows import usage_of


def pictures_event(task: Task, document: ImageDocument, error: ApiError | None) -> LineageEvent:
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
    document: ImageDocument, files: Mapping[str, StoredFile]
) -> tuple[list[MadePicture], list[tuple[int, MakingFailure]]]:
    """Return the pictures and the failures, each with its place among those that were wanted."""
    pictures: list[MadePicture] = []
    failed: list[tuple[int, MakingFailure]] = []
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


def _of_other_sizes(document: ImageDocument) -> list[Notice]:
    """Return a notice where the vendor has made another size than it was asked for."""
    asked = document.fitted.size
    others = [str(size) for size in document.sizes if asked is not None and size != asked]
    if not others:
        return []
    message = f"The model made {', '.join(dict.fromkeys(others))} where it was asked for {asked}."
    return [Notice("size", "adapted", message)]


def job_of(task: Task, document: ImageDocument, files: Sequence[StoredFile]) -> ImageJob:
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
