"""What has become of a job for pictures: they, by their places."""

from collections.abc import Mapping, Sequence

from llm_api.domain.files import StoredFile
from llm_api.domain.lineage import LineageEvent
from llm_api.domain.making import MakingFailure, Notice
from llm_api.domain.tasks import Task
from llm_api.errors import ApiError
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.images.image_job import ImageJob, MadePicture
from llm_api.services.jobs.outcome import event_of, facts_of, failures_of


def pictures_event(task: Task, document: ImageDocument, error: ApiError | None) -> LineageEvent:
    """Return what a lineage has of a job for pictures; see `event_of`."""
    kept = [one for part in document.parts for one in part.kept]
    texts = {f"revised_prompt[{i}]": one.prompt or "" for i, one in enumerate(kept)}
    facts = {"picture_ids": [one.file_id for one in kept]}
    return event_of(task, document, error, facts, texts)


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
    prompts = [one.revised_prompt for one in pictures if one.revised_prompt]
    facts, fields = facts_of(task, document), document.fitted.fields
    return ImageJob(
        **facts | {"notices": (*facts["notices"], *_of_other_sizes(document))},
        kind=str(facts["details"].get("kind", "image")),
        vendor_prompt=prompts[0] if prompts else None,
        pictures=tuple(pictures),
        failed=tuple(failed),
        quality=fields.get("quality"),
        output_format=document.fitted.convert_to or fields.get("output_format"),
        background=fields.get("background"),
    )
