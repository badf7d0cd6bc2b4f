"""Writes what answers of tasks of pictures and of films have in common."""

from typing import Any

from flask import g

from llm_api.errors import ApiError, ContentFiltered
from llm_api.web.request.context import RequestState


def ended_task(
    job_id: str, status: str | None, cancel_state: str | None, *, kind: str = "image.task"
) -> dict[str, Any]:
    """Return what has become of a task that was to end; no `status`: it was deleted."""
    return {
        "id": job_id,
        "object": kind,
        "status": status,
        "cancel_state": cancel_state,
        "deleted": status is None,
        "request_id": request_id(),
    }


def error_fields(error: ApiError) -> dict[str, Any]:
    """Return why nothing was made."""
    about = {"reason": error.reason, "message": error.message, "retryable": error.retryable}
    if isinstance(error, ContentFiltered):
        known = {"stage": error.stage, "what": error.what}
        about |= {name: value for name, value in known.items() if value is not None}
    return about


def request_id() -> str:
    """Return the id of the current request."""
    state: RequestState = g.request_state
    return state.request_id
