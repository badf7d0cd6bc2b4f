"""Writes loops as the image routes answer them: pictures with verdicts, and all tries."""

from typing import Any

from llm_api.domain.fidelity import FidelityItem
from llm_api.domain.loops import Amount
from llm_api.errors import NotFound
from llm_api.services.images import ImageJob
from llm_api.services.jobs.document import KnownError
from llm_api.services.loop import LoopJob, LoopPreview
from llm_api.services.loop.loop_document import LoopTry, step_id
from llm_api.web.images.picture_parts import TASKS_PATH
from llm_api.web.making.answer_parts import file_path_of, warning
from llm_api.web.rest.images.job_answers import generation, preview, status_of
from llm_api.web.rest.judge.verdict_answers import verdict_answer
from llm_api.web.rest.tasks.task_answers import error_fields, request_id


def loop_generation(job: LoopJob, *, wants_links: bool) -> dict[str, Any]:
    """Return the answer of a loop that has pictures, the best first."""
    best = pictured(job)
    answer = generation(best, wants_links=wants_links)
    for shown, picture in zip(answer["data"], best.pictures, strict=True):
        verdict = job.verdicts.get(picture.file.id)
        shown["verdict"] = None if verdict is None else verdict_answer(verdict)
    return answer | {
        "id": job.id,
        "fidelity": [_fidelity(one) for one in job.fidelity],
        "stopped_by": job.stopped_by,
        "tries": [_try(job.id, one) for one in job.tries],
        **_total(job.cost),
    }


def pictured(job: LoopJob) -> ImageJob:
    """Return the job of the best try; raises NotFound where its files were deleted."""
    if job.best is None:
        raise NotFound("The job has ended, and has no pictures any more.", reason="file_not_found")
    return job.best


def loop_task(job: LoopJob) -> dict[str, Any]:
    """Return the state of a loop, and its best pictures once it has ended with some."""
    has_pictures = job.state.has_ended and bool(job.pictures)
    result = loop_generation(job, wants_links=True) if has_pictures else None
    return {
        "id": job.id,
        "object": "image.task",
        "status": status_of(job.state),
        "created": int(job.created_at.timestamp()),
        "model": job.model,
        "poll_url": f"{TASKS_PATH}{job.id}",
        "poll_after_ms": None if job.state.has_ended else job.poll_after_ms,
        "result": result,
        "error": None if job.error is None else error_fields(job.error),
        "warnings": [warning(notice) for notice in job.notices],
        "stopped_by": job.stopped_by,
        "tries": [_try(job.id, one) for one in job.tries],
        "expires_at": int(job.expires_at.timestamp()),
        "request_id": request_id(),
    }


def loop_preview(shown: LoopPreview) -> dict[str, Any]:
    """Return what a loop would do first, and what it would cost at most."""
    return preview(shown.shown) | {
        "judge": {
            "method": "measured" if shown.judged_by is None else "vision",
            "model": shown.judged_by,
            "checkpoints": list(shown.checkpoints),
        },
        "max_tries": shown.max_tries,
        "try_cost_micros": shown.of_a_try.micro,
    }


def _try(loop_id: str, one: LoopTry) -> dict[str, Any]:
    return {
        "number": one.number,
        "task_id": step_id(loop_id, one.number),
        "prompt": one.prompt,
        "fed_back": list(one.fed_back),
        "pictures": [
            {
                "id": picture.file_id,
                "url": file_path_of(picture.file_id),
                "index": picture.index,
                "verdict": None if picture.verdict is None else verdict_answer(picture.verdict),
                "error": None if picture.error is None else _known(picture.error),
            }
            for picture in one.pictures
        ],
        "error": None if one.error is None else _known(one.error),
        "warnings": [warning(notice) for notice in one.notices],
        "cost_micros": one.cost.micro,
        "currency": one.cost.currency,
    }


def _fidelity(one: FidelityItem) -> dict[str, Any]:
    return {
        "item": one.item,
        "kind": one.kind,
        "in_prompt": one.in_prompt,
        "in_rewrite": one.in_rewrite,
        "in_vendor_rewrite": one.in_vendor_rewrite,
        "in_picture": one.in_picture,
        "lost_by": one.lost_by,
        "switch_off": one.switch_off,
    }


def _known(error: KnownError) -> dict[str, Any]:
    return error_fields(error.error())


def _total(cost: Amount) -> dict[str, Any]:
    return {"total_cost_micros": cost.micro, "total_currency": cost.currency}
