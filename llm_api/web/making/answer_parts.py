"""Parts of answers that all dialects have: links, and what became of fields."""

from collections.abc import Iterable
from typing import Any

from llm_api.domain.files import StoredFile
from llm_api.domain.making import Notice
from llm_api.web.response.answers import header_safe

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


def warning_headers(notices: Iterable[Notice]) -> dict[str, str]:
    """Return the headers for what became of fields: those dropped, and all of them."""
    named = list(dict.fromkeys((header_safe(n.field), n.code) for n in notices))[:_MAX_NAMED]
    dropped = [field for field, code in named if code == "dropped"]
    headers = {"x-dropped-params": ",".join(dropped)} if dropped else {}
    if named:
        headers["x-llm-api-warnings"] = ", ".join(f"{field}={code}" for field, code in named)
    return headers
