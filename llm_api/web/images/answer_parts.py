"""Parts of answers that both dialects have: links, warnings, pictures that failed."""

from collections.abc import Iterable
from typing import Any

from llm_api.domain.files import StoredFile
from llm_api.domain.making import MakingFailure, Notice
from llm_api.services.images import ImageJob
from llm_api.web.response.answers import header_safe

TASKS_PATH = "/api/v1/images/tasks/"
_FILES_PATH = "/api/v1/files/"
_MAX_NAMED = 20


def file_path(file: StoredFile) -> str:
    """Return where a file is, on this service."""
    return file_path_of(file.id)


def file_path_of(file_id: str) -> str:
    """Return where the file of an id is."""
    return f"{_FILES_PATH}{file_id}"


def warning(notice: Notice) -> dict[str, Any]:
    """Return what became of a field."""
    return {"field": notice.field, "code": notice.code, "message": notice.message}


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


def warning_headers(notices: Iterable[Notice]) -> dict[str, str]:
    """Return the headers for what became of fields: those dropped, and all of them."""
    named = list(dict.fromkeys((header_safe(n.field), n.code) for n in notices))[:_MAX_NAMED]
    dropped = [field for field, code in named if code == "dropped"]
    headers = {"x-dropped-params": ",".join(dropped)} if dropped else {}
    if named:
        headers["x-llm-api-warnings"] = ", ".join(f"{field}={code}" for field, code in named)
    return headers
