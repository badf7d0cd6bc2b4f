"""The errors of routes of pictures and of films in the API document, beside those of all routes."""

from collections.abc import Sequence

from llm_api.errors import (
    ApiError,
    BodyTooLarge,
    InvalidRequest,
    NotFound,
    UnsupportedMedia,
)
from llm_api.services.jobs.doubts import unknown_outcome
from llm_api.upstream.faults import too_large, while_waiting
from llm_api.upstream.media.making_errors import (
    bad_answer,
    charged,
    of_meaning,
    task_failed,
    task_not_found,
)
from llm_api.web.call_errors import LEFT_ALONE, OF_CONNECTIONS
from llm_api.web.making.picture_bodies import MAX_PICTURES_BODY_BYTES

NO_SUCH_TASK = NotFound("There is no such job.", reason="job_not_found")
BODY_TOO_LARGE = BodyTooLarge(
    f"The body must be at most {MAX_PICTURES_BODY_BYTES >> 20} MiB.", reason="body_too_large"
)
NO_JSON_OR_FORM = UnsupportedMedia(
    "The body must be JSON, with Content-Type: application/json, or multipart/form-data.",
    reason="unsupported_media_type",
)
FORM_INVALID = InvalidRequest(
    "The body must be a valid multipart/form-data.", reason="form_invalid"
)
# Of where the end of a task is to be announced.
CALLBACK_ERRORS: Sequence[ApiError] = (
    InvalidRequest.of_field(
        "callback_url",
        "cannot be used: this service has no WEBHOOK_SECRET to sign with.",
        reason="webhooks_not_configured",
    ),
    InvalidRequest.of_field(
        "callback_url", "must be the address of a public host.", reason="callback_refused"
    ),
)
# Of vendors, which may want money for what they were slow to make.
OF_VENDORS: Sequence[ApiError] = (
    *map(of_meaning, ("upstream_auth", "upstream_account", "upstream_model_missing")),
    of_meaning("upstream_rate_limited"),
    *OF_CONNECTIONS,
    LEFT_ALONE,
    *map(of_meaning, ("invalid_request", "upstream_redirect", "upstream_error")),
    *map(of_meaning, ("overloaded", "upstream_timeout")),
    charged(while_waiting(ConnectionResetError()).error),
    bad_answer("an answer that is no JSON"),
    charged(too_large().error),
    task_failed(None, may_have_charged=False),
    task_not_found(),
    unknown_outcome(),
)


def picture_errors(field: str) -> Sequence[ApiError]:
    """Return the examples of a field with a picture that is not taken."""
    return (
        no_picture(field),
        not_of_caller(field),
        not_public(field),
        InvalidRequest.of_field(field, "must be at most 10 MB.", reason="image_too_large"),
    )


def not_of_caller(field: str) -> ApiError:
    """Return the example of a field with the id of a file that the caller does not have."""
    problem = "must be the id of a file of yours."
    return InvalidRequest.of_field(field, problem, reason="file_not_found")


def not_public(field: str) -> ApiError:
    """Return the example of a field with an address that nothing is fetched from."""
    problem = "must be the address of a public host."
    return InvalidRequest.of_field(field, problem, reason="image_refused")


def for_chats(results: str) -> ApiError:
    """Return the example of a chat model, which makes none of the `results` of a route."""
    problem = f"makes no {results}: it is for chat calls."
    return InvalidRequest.of_field("model", problem, reason="model_makes_text")


def no_picture(field: str) -> ApiError:
    """Return the example of a field with something that is no picture."""
    problem = "is not a picture. Send JPEG, PNG, WebP, GIF or BMP."
    return InvalidRequest.of_field(field, problem, reason="invalid_image")
