"""Refuses requests that are no edits in the fields of one, and the other way round."""

from llm_api.domain.prompts import EDIT, MAX_EDITED_PICTURES, PromptRequest
from llm_api.errors import InvalidRequest


def require_edit(request: PromptRequest) -> None:
    """Raise InvalidRequest for an edit with fields of descriptions, or pictures of no edit."""
    if request.type != EDIT and request.pictures:
        raise _left_out("images", f"where type is {request.type}.")
    for name in ("style", "camera", "duration_seconds") if request.type == EDIT else ():
        if getattr(request, name) is not None:
            raise _left_out(name, "for an edit: say it in the prompt.")
    if len(request.pictures) > MAX_EDITED_PICTURES:
        problem = f"must be at most {MAX_EDITED_PICTURES}."
        raise InvalidRequest.of_field("images", problem, reason="out_of_range")


def _left_out(field: str, when: str) -> InvalidRequest:
    return InvalidRequest.of_field(field, f"must be left out {when}", reason="not_supported")
