"""The errors of routes of films in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.errors import ApiError, ContentFiltered, Gone, InvalidRequest, Unavailable
from llm_api.web.documented_errors import MODEL_ERRORS
from llm_api.web.images.example_errors import BODY_TOO_LARGE

# Of routes that make films.
FILM_ERRORS = (*MODEL_ERRORS, 410)
NOT_CONFIGURED = Unavailable(
    "No video model is configured on this service. Three lines in .env configure one:"
    " VIDEO_LLM_API_URL=https://…, VIDEO_LLM_API_KEY=… and VIDEO_LLM_MODEL=…",
    reason="video_model_not_configured",
    retryable=False,
)
_OTHERS: Sequence[ApiError] = (
    InvalidRequest.of_field("last_frame", "is not taken by this model.", reason="not_supported"),
    ContentFiltered(
        "The model service's content filter refused the request.", reason="content_filtered"
    ).replaced(stage="input", what="face"),
    BODY_TOO_LARGE,
    Gone("The model service does not have its film any more.", reason="result_expired"),
    NOT_CONFIGURED,
)


def film_examples(wrong: ApiError) -> Sequence[ApiError]:
    """Return the examples of a route that makes films; the first is for a `wrong` field."""
    return (wrong, *_OTHERS)
