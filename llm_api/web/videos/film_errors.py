"""The errors of routes of films in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.domain.calls import IMAGE
from llm_api.errors import (
    ApiError,
    ContentFiltered,
    Gone,
    InvalidRequest,
    NotFound,
    Unavailable,
    Unprocessable,
    UpstreamFault,
)
from llm_api.services.files import PICTURES_AWAY
from llm_api.services.routing.wrong_kinds import made_elsewhere
from llm_api.services.videos.film_keeping import NO_FILM
from llm_api.services.videos.video_models import VIDEO_MODELS
from llm_api.upstream.media.fetching import result_error
from llm_api.upstream.media.links import LinkFailed
from llm_api.web.call_errors import OF_CALLERS
from llm_api.web.documented_errors import MODEL_ERRORS, RATE_LIMITED
from llm_api.web.making.example_errors import (
    BODY_TOO_LARGE,
    OF_VENDORS,
    for_chats,
    picture_errors,
)

# Of the route that also waits for the end of a film.
AWAITED_ERRORS = (*MODEL_ERRORS, 410, 422)
FILTERED = ContentFiltered(
    "The model service refused what it was sent because of a face in it, which need not be of"
    " somebody who exists; send it without the face, or describe the person in the prompt.",
    reason="content_filtered",
).replaced(stage="input", what="face")
# What vendors say, and what becomes of a film that they have made.
OF_THE_END: Sequence[ApiError] = (
    FILTERED,
    Gone(
        "The film was made, and the vendor's link to it has expired before it was copied.",
        reason="result_expired",
    ),
    Unprocessable(
        "What the request refers to must be what the model service can download in time.",
        reason="image_fetch_failed",
    ),
    UpstreamFault(
        "The model service has ended the task before it was done: its time was over.",
        reason="task_expired",
    ),
    InvalidRequest("The task was cancelled at the model service.", reason="cancelled"),
    result_error(LinkFailed("It could not be fetched."), "film"),
    NO_FILM,
    *OF_VENDORS,
)
_OTHERS: Sequence[ApiError] = (
    InvalidRequest.of_field(
        "max_cost_micros",
        "cannot be kept: the model doubao-seedance-1-0-pro-250528 has no price for this film.",
        reason="price_unknown",
    ),
    InvalidRequest.of_field(
        "max_cost_micros",
        "is too low: the film can cost 1000000 millionths of CNY.",
        reason="max_cost_too_low",
    ),
    for_chats("films"),
    made_elsewhere(IMAGE),
    NotFound.of_field("model", "must be a video model of the catalogue.", reason="model_not_found"),
    BODY_TOO_LARGE,
    RATE_LIMITED,
    PICTURES_AWAY,
    Unavailable(VIDEO_MODELS.advice, reason="video_model_not_configured", retryable=False),
    *OF_CALLERS,
)


def film_examples(wrong: ApiError, first_frame: str) -> Sequence[ApiError]:
    """Return the examples of a route that makes films.

    Args:
        wrong: a field that is wrong.
        first_frame: how the route calls that field.
    """
    alone = InvalidRequest.of_field(
        "last_frame", f"must be left out without {first_frame}.", reason="not_supported"
    )
    return (wrong, alone, *picture_errors(first_frame), *_OTHERS)
