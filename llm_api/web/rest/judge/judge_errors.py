"""The errors of the judge's route in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.errors import (
    ApiError,
    BodyTooLarge,
    ContentFiltered,
    InvalidRequest,
    RateLimited,
    Unavailable,
    UpstreamFault,
    UpstreamTimeout,
)
from llm_api.web.documented_errors import MODEL_ERRORS, MODEL_FORBIDDEN, NO_SUCH_MODEL
from llm_api.web.images.example_errors import BODY_TOO_LARGE

JUDGE_ERRORS = MODEL_ERRORS
NOT_CONFIGURED = Unavailable(
    "No vision model is configured on this service: set JUDGE_LLM_API_URL, JUDGE_LLM_API_KEY and"
    " JUDGE_LLM_MODEL.",
    reason="judge_not_configured",
    retryable=False,
)
UNPARSABLE = UpstreamFault(
    "The vision model did not answer in the form that was asked for, also when it was asked again;"
    " there is no score.",
    reason="judge_unparsable",
    retryable=True,
)
JUDGE_EXAMPLES: Sequence[ApiError] = (
    InvalidRequest.of_field("mode", "must be one of score, compare, rank.", reason="out_of_range"),
    InvalidRequest.of_field("image", "is not a picture. Send JPEG or PNG.", reason="invalid_image"),
    InvalidRequest.of_field(
        "image", "could not be fetched: its server answered 500.", reason="image_fetch_failed"
    ),
    ContentFiltered(
        "The model service's content filter refused the picture or the prompt.",
        reason="content_filtered",
    ),
    MODEL_FORBIDDEN,
    NO_SUCH_MODEL,
    BODY_TOO_LARGE,
    BodyTooLarge.of_field("image", "must be at most 10 MB.", reason="image_too_large"),
    RateLimited(
        "The limit is 60 per 1 minute; try again later.",
        reason="rate_limited",
        retry_after=12,
        scope="key.requests",
    ),
    UNPARSABLE,
    NOT_CONFIGURED,
    UpstreamTimeout("The model service did not answer in time.", reason="upstream_timeout"),
)
