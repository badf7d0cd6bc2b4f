"""What Anthropic's clients need of the models on offer, beside what OpenAI's do.

Source: https://platform.claude.com/docs/en/api/models-list
"""

from collections.abc import Sequence
from typing import Any

from flask import g

from llm_api.domain.calls import Model
from llm_api.web.request.context import RequestState

# For a date that is not known, the reference says so.
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"


def fields_for_anthropic(model: Model) -> dict[str, Any]:
    """Return the fields of a model that the client needs, if it is one of Anthropic's."""
    if not _is_asked_by_anthropic():
        return {}
    return {
        "type": "model",
        "display_name": model.id,
        "created_at": _UNKNOWN_DATE,
        "lifecycle": "active",
    }


def page_for_anthropic(models: Sequence[Model]) -> dict[str, Any]:
    """Return the same for the list, which has one page."""
    if not _is_asked_by_anthropic():
        return {}
    return {
        "has_more": False,
        "first_id": models[0].id if models else None,
        "last_id": models[-1].id if models else None,
    }


def _is_asked_by_anthropic() -> bool:
    """Whether the current request comes from such a client: all of them name the API's version."""
    state: RequestState = g.request_state
    return "HTTP_ANTHROPIC_VERSION" in state.incoming.environ
