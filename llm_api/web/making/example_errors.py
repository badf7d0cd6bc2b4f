"""The errors of routes of pictures and of films in the API document, beside those of all routes."""

from llm_api.errors import (
    ApiError,
    BodyTooLarge,
    InvalidRequest,
    NotFound,
    Unavailable,
    UnsupportedMedia,
    UpstreamTimeout,
)
from llm_api.web.making.picture_bodies import MAX_PICTURES_BODY_BYTES

NO_SUCH_TASK = NotFound("There is no such job.", reason="job_not_found")
BODY_TOO_LARGE = BodyTooLarge(
    f"The body must be at most {MAX_PICTURES_BODY_BYTES >> 20} MiB.", reason="body_too_large"
)
NO_JSON_OR_FORM = UnsupportedMedia(
    "The body must be JSON, with Content-Type: application/json, or multipart/form-data.",
    reason="unsupported_media_type",
)
# Of vendors, which may want money for what they were slow to make.
NO_PLACE = Unavailable(
    "The model service has no free place at the moment; try again later.",
    reason="overloaded",
    retry_after=1,
)
VENDOR_TOO_SLOW = UpstreamTimeout(
    "The model service did not answer in time.", reason="upstream_timeout", retryable=False
)


def no_picture(field: str) -> ApiError:
    """Return the example of a field with something that is no picture."""
    problem = "is not a picture. Send JPEG, PNG, WebP, GIF or BMP."
    return InvalidRequest.of_field(field, problem, reason="invalid_image")
