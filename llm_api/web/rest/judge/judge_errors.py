"""The errors of the judge's route in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.errors import (
    ApiError,
    BodyTooLarge,
    ContentFiltered,
    InvalidRequest,
    RateLimited,
    UpstreamFault,
    UpstreamTimeout,
)
from llm_api.services.files import PICTURES_AWAY
from llm_api.services.judge.judge_service import NOT_CONFIGURED
from llm_api.web.documented_errors import MODEL_ERRORS, MODEL_FORBIDDEN, NO_SUCH_MODEL
from llm_api.web.making.example_errors import BODY_TOO_LARGE, no_picture, not_of_caller, not_public

JUDGE_ERRORS = MODEL_ERRORS
UNPARSABLE = UpstreamFault(
    "The vision model did not answer in the form that was asked for, also when it was asked again;"
    " there is no score.",
    reason="judge_unparsable",
    retryable=True,
)
JUDGE_EXAMPLES: Sequence[ApiError] = (
    InvalidRequest.of_field("mode", "must be one of score, compare, rank.", reason="out_of_range"),
    no_picture("image"),
    not_of_caller("image"),
    not_public("image"),
    InvalidRequest.of_field(
        "image", "could not be fetched: its host is not known.", reason="image_fetch_failed"
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
    PICTURES_AWAY,
    UpstreamTimeout("The model service did not answer in time.", reason="upstream_timeout"),
)
