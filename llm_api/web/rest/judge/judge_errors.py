"""The errors of the judge's route in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.errors import (
    ApiError,
    BodyTooLarge,
    ContentFiltered,
    InvalidRequest,
    UpstreamFault,
)
from llm_api.services.files import PICTURES_AWAY
from llm_api.services.judge.asking import blind_model, of_judged
from llm_api.services.judge.judge_service import NOT_CONFIGURED
from llm_api.services.routing.prompt_models import NO_MODEL
from llm_api.web.call_errors import call_examples, configured_missing, in_words
from llm_api.web.documented_errors import MODEL_ERRORS
from llm_api.web.making.example_errors import BODY_TOO_LARGE, no_picture, not_of_caller, not_public

JUDGE_ERRORS = MODEL_ERRORS
UNPARSABLE = UpstreamFault(
    "The vision model did not answer in the form that was asked for, also when it was asked again;"
    " there is no score.",
    reason="judge_unparsable",
    retryable=True,
)
# Of all routes that ask a vision model about a picture.
SEEING_EXAMPLES: Sequence[ApiError] = (
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
    BODY_TOO_LARGE,
    BodyTooLarge.of_field("image", "must be at most 10 MB.", reason="image_too_large"),
    NOT_CONFIGURED,
    PICTURES_AWAY,
    blind_model(),
    NO_MODEL,
    configured_missing(),
)
JUDGE_EXAMPLES = (*SEEING_EXAMPLES, UNPARSABLE, *in_words(of_judged, call_examples()))
