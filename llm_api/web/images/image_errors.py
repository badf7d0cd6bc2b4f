"""The errors of image routes in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.domain.calls import VIDEO
from llm_api.errors import (
    ApiError,
    ContentFiltered,
    Gone,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
    Unprocessable,
)
from llm_api.services.files import PICTURES_AWAY
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.loop.loop_job import too_low
from llm_api.services.routing.wrong_kinds import made_elsewhere
from llm_api.upstream.media.fetching import result_error
from llm_api.upstream.media.links import LinkFailed
from llm_api.upstream.media.making_errors import no_image
from llm_api.web.call_errors import OF_CALLERS, OF_REWRITING
from llm_api.web.documented_errors import MODEL_ERRORS
from llm_api.web.making.example_errors import (
    BODY_TOO_LARGE,
    OF_VENDORS,
    for_chats,
    picture_errors,
)

# Of routes that make pictures.
IMAGE_ERRORS = (*MODEL_ERRORS, 410, 422)
NO_SUCH_MODEL = NotFound.of_field(
    "model", "must be an image model of the catalogue.", reason="model_not_found"
)
_OTHERS: Sequence[ApiError] = (
    InvalidRequest.of_field("size", "is not made by this model.", reason="invalid_size").replaced(
        hint="The nearest sizes that it makes: 992x608 or 960x576."
    ),
    ContentFiltered(
        "The model service's content filter refused the prompt.", reason="content_filtered"
    ).replaced(stage="input", what="text"),
    InvalidRequest.of_field(
        "images",
        "must be left out: the layout sketch is drawn from the prompt alone.",
        reason="not_supported",
    ),
    for_chats("pictures"),
    made_elsewhere(VIDEO),
    NO_SUCH_MODEL,
    BODY_TOO_LARGE,
    Gone(
        "The picture was made, and the vendor's link to it has expired before it was copied.",
        reason="result_expired",
    ),
    Unprocessable.of_field(
        "images",
        "must be pictures that the model service can download in time.",
        reason="image_fetch_failed",
    ),
    RateLimited(
        "The limit is 10 per 1 minute; try again later.",
        reason="rate_limited",
        retry_after=12,
        scope="key.images",
    ),
    no_image(),
    result_error(LinkFailed("It could not be fetched.")),
    Unavailable(IMAGE_MODELS.advice, reason="image_model_not_configured", retryable=False),
    PICTURES_AWAY,
    *OF_CALLERS,
    *OF_VENDORS,
)
# Of loops, whose tries and verdicts cost money.
LOOP_ERRORS: Sequence[ApiError] = (
    InvalidRequest.of_field(
        "until.max_cost",
        "cannot be kept: the model seer has no price in CNY.",
        reason="price_unknown",
    ),
    too_low(),
)


def image_examples(
    wrong: ApiError, pictures: str, rewriting: Sequence[ApiError] = OF_REWRITING
) -> Sequence[ApiError]:
    """Return the examples of a route that makes pictures.

    Args:
        wrong: a field that is wrong.
        pictures: the field of a picture.
        rewriting: what is answered where its prompt cannot be rewritten.
    """
    return (wrong, *_OTHERS, *rewriting, *picture_errors(pictures))
