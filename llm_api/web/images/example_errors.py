"""The errors of image routes in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.errors import (
    ApiError,
    BodyTooLarge,
    ContentFiltered,
    Gone,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
    UpstreamFault,
    UpstreamTimeout,
)
from llm_api.web.documented_errors import MODEL_ERRORS, MODEL_FORBIDDEN
from llm_api.web.images.picture_bodies import MAX_PICTURES_BODY_BYTES

# Of routes that make pictures.
IMAGE_ERRORS = (*MODEL_ERRORS, 410, 422)
NO_SUCH_TASK = NotFound("There is no such job.", reason="job_not_found")
NOT_CONFIGURED = Unavailable(
    "No image model is configured: set IMAGE_LLM_API_URL, IMAGE_LLM_API_KEY and IMAGE_LLM_MODEL;"
    ' "model": "layout-sketch" draws a layout without one.',
    reason="image_model_not_configured",
    retryable=False,
)
BODY_TOO_LARGE = BodyTooLarge(
    f"The body must be at most {MAX_PICTURES_BODY_BYTES >> 20} MiB.", reason="body_too_large"
)
NO_JSON_OR_FORM = UnsupportedMedia(
    "The body must be JSON, with Content-Type: application/json, or multipart/form-data.",
    reason="unsupported_media_type",
)
_OTHERS: Sequence[ApiError] = (
    InvalidRequest.of_field(
        "size",
        "is not a size that the model makes; nearest are 1328x1328 and 1664x928.",
        reason="invalid_size",
    ),
    ContentFiltered(
        "The model service's content filter refused the request.", reason="content_filtered"
    ).replaced(stage="input", what="text"),
    InvalidRequest.of_field("mask", "is not supported by this model.", reason="not_supported"),
    InvalidRequest.of_field("images[0]", "must be a picture.", reason="invalid_image"),
    MODEL_FORBIDDEN,
    BODY_TOO_LARGE,
    Gone("The model service does not have its picture any more.", reason="result_expired"),
    Unprocessable.of_field(
        "images[0]", "could not be fetched by the model service.", reason="image_fetch_failed"
    ),
    RateLimited(
        "The limit is 10 images per 1 minute; try again later.",
        reason="rate_limited",
        retry_after=12,
        scope="key.images",
    ),
    UpstreamFault("The model service answered without a picture.", reason="no_image_returned"),
    NOT_CONFIGURED,
    Unavailable(
        "The model service has no free place at the moment; try again shortly.",
        reason="overloaded",
        retry_after=1,
    ),
    UpstreamTimeout(
        "The model service did not answer in time.", reason="upstream_timeout", retryable=False
    ),
)


def image_examples(wrong: ApiError) -> Sequence[ApiError]:
    """Return the examples of a route that makes pictures; the first is for a `wrong` field."""
    return (wrong, *_OTHERS)
