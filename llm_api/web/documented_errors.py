"""The errors in the API document: what each status means, and an example in the route's own form.

An example is written by the code that writes errors, so that its form cannot be another one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma

from llm_api.errors import (
    ApiError,
    BodyTooLarge,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    ServiceError,
    Unavailable,
    UnsupportedMedia,
)
from llm_api.services.keys.service import ambiguous
from llm_api.upstream.faults import bad_response, overloaded, timed_out
from llm_api.web.access.authentication import unauthorized
from llm_api.web.request.context import REQUEST_ID
from llm_api.web.response.error_formats import error_document, error_status

# Of every response.
HEADERS: Mapping[str, Any] = {
    "x-request-id": {
        "required": True,
        "schema": {"type": "string", "pattern": f"^{REQUEST_ID.pattern}$"},
    }
}
# Of routes that read a body, and of those that call a model.
BODY_ERRORS = (400, 413, 415)
MODEL_ERRORS = (*BODY_ERRORS, 404, 502, 503, 504)
# The second and third where keys are required.
_OF_ALL = (429, 401, 403, 500)
_MEANINGS: Mapping[int, str] = {
    400: "The request is invalid; `details.errors` names the fields.",
    401: "No valid API key was sent.",
    402: "The budget of the API key is spent.",
    403: "The API key does not allow this.",
    404: "The path or model does not exist.",
    409: "The task cannot be cancelled: it has ended, or its vendor cannot.",
    410: "What was made is not there any more.",
    413: "The body is too large.",
    415: "The body is not uncompressed `application/json`.",
    416: "The file has no such part.",
    422: "A picture of the request could not be fetched by the model service.",
    429: "A limit of this service, or of the model service, is exceeded.",
    500: "An internal error.",
    502: "The model service sent an invalid response.",
    503: "No model service could be called, or this service is at capacity.",
    504: "The model service did not respond in time.",
    529: "This service or the model service is at capacity.",
}
_RETRIED = (429, 503, 529)
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
_REQUEST_ID = "req_5f0c2b9e7a4d41d68e13b0aa"

NO_SUCH_MODEL = NotFound.of_field(
    "model", "must be one that GET /v1/models lists.", reason="model_not_found"
)
MODEL_FORBIDDEN = Forbidden(
    "The key is not for this model; GET /v1/models lists those it is for.",
    reason="model_not_allowed",
)
ROUTE_FORBIDDEN = Forbidden(
    "The API key may not be used for this route.", reason="route_not_allowed"
)
RATE_LIMITED = RateLimited(
    "The limit is 60 per 1 minute; try again later.",
    reason="rate_limited",
    retry_after=12,
    scope="key.requests",
)
NO_ADMIN = Forbidden("This route requires an admin's API key.", reason="admin_required")
NO_SUCH_KEY = NotFound("There is no key with this id or name.", reason="key_not_found")
AMBIGUOUS_KEY = ambiguous(["key_0123456789abcdef", "key_fedcba9876543210"])
KEYS_AWAY = Unavailable(
    "The store of keys cannot be used at the moment.", reason="store_unavailable", retry_after=5
)
USAGE_AWAY = Unavailable(
    "The usage store cannot be read at the moment.", reason="store_unavailable", retry_after=5
)
# Where a route names none of its own.
_EXAMPLES: Sequence[ApiError] = (
    unauthorized(is_presented=True),
    unauthorized(is_presented=False),
    ROUTE_FORBIDDEN,
    NO_SUCH_MODEL,
    BodyTooLarge("The body must be at most 20 MiB.", reason="body_too_large"),
    UnsupportedMedia(
        "The body must be JSON, with Content-Type: application/json.",
        reason="unsupported_media_type",
    ),
    RATE_LIMITED,
    ServiceError(
        "Something went wrong in this service; quote the request id to its operator.",
        reason="internal_error",
    ),
    bad_response("an answer that is not JSON").error,
    overloaded(),
    timed_out().error,
)
# Of a path that takes POST; `name_methods` says what the others take.
_NO_METHOD = "PUT"
_ANY_OTHER = MethodNotAllowed(_NO_METHOD, ("OPTIONS", "POST"))


def error_responses(
    statuses: Sequence[int],
    examples: Sequence[ApiError],
    schema: ma.Schema,
    prefix: str,
    never: Sequence[int] = (),
) -> dict[int | str, Any]:
    """Return the responses of a route that are errors, by their status, and `default` for others.

    Args:
        statuses: beside those that every route has.
        examples: errors of the route; they take the place of the usual ones of their statuses, and
            the first of a status and reason counts.
        schema: of the envelope.
        prefix: of the route's path; decides on the form, as it does for errors.
        never: statuses that every other route has.
    """
    path = f"{prefix}/"
    own = {error_status(error, path) for error in examples}
    usual = (error for error in _EXAMPLES if error_status(error, path) not in own)
    shown = [*examples, *usual]

    def content(errors: Sequence[ApiError]) -> dict[str, Any]:
        named: dict[str, Any] = {}
        for one in errors:
            named.setdefault(one.reason, {"value": error_document(one, path, _REQUEST_ID)})
        return {"application/json": {"schema": schema, "examples": named}}

    responses: dict[int | str, Any] = {
        status: {
            "description": _MEANINGS[status],
            "headers": {**HEADERS, **(_RETRY_AFTER if status in _RETRIED else {})},
            "content": content([one for one in shown if error_status(one, path) == status]),
        }
        for status in sorted({*_OF_ALL, *statuses} - set(never))
    }
    other = {"description": "Any other error.", "headers": {**HEADERS}}
    return responses | {"default": other | {"content": content([_ANY_OTHER])}}


def name_methods(paths: Mapping[str, Any]) -> None:
    """Have the example of a wrong method name those of its path; `paths` are the document's."""
    for path, item in paths.items():
        methods = {name.upper() for name in item if name != "parameters"}
        methods |= {"OPTIONS", *(["HEAD"] if "GET" in methods else [])}
        example = error_document(MethodNotAllowed(_NO_METHOD, methods), path, _REQUEST_ID)
        for name, operation in item.items():
            if name != "parameters":
                content = operation["responses"]["default"]["content"]["application/json"]
                content["examples"][_ANY_OTHER.reason]["value"] = example
