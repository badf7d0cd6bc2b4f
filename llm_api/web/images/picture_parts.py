"""Parts of answers with pictures that both dialects have: layouts, and pictures that failed."""

from typing import Any

from llm_api.domain.making import MakingFailure
from llm_api.services.images import ImageJob

TASKS_PATH = "/api/v1/images/tasks/"


def is_sketch(job: ImageJob) -> bool:
    """Whether the built-in helper has drawn a layout, which is no picture."""
    return job.kind == "layout_sketch"


def sketch_fields(job: ImageJob) -> dict[str, Any]:
    """Return what an answer says of a layout: that it is one, and what is not in it."""
    if not is_sketch(job):
        return {}
    shown = {name: list(job.details.get(name, ())) for name in ("drawn", "not_drawn")}
    return {"kind": job.kind, **shown}


def failure(index: int, why: MakingFailure) -> dict[str, Any]:
    """Return why a picture was not made."""
    filtered = {"stage": why.stage, "what": why.what}
    return {
        "index": index,
        "reason": why.reason,
        "message": why.message,
        "retryable": why.retryable,
        **{name: value for name, value in filtered.items() if value is not None},
    }
