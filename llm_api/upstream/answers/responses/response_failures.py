"""Finds the failure in an answer of the Responses API.

It is the `error` of a response whose status is `failed`, or an event of type `error`, flat as in
OpenAI's types or with an object inside, as it comes from its servers.
"""

from collections.abc import Mapping
from typing import Any

from llm_api.upstream.answers.completion import raise_error
from llm_api.upstream.answers.embedded_errors import error_of_event, find_error
from llm_api.upstream.vendors.errors import ErrorClassifier

# The codes of OpenAI's `ResponseError` that are about the request: the status says so to whom no
# rule is known for the code. The others are failures of the service.
_ABOUT_THE_REQUEST = frozenset(
    [
        *("bio_policy", "data_residency_mismatch", "empty_image_file", "failed_to_download_image"),
        *("image_content_policy_violation", "image_file_not_found", "image_file_too_large"),
        *("image_parse_error", "image_too_large", "image_too_small", "invalid_base64_image"),
        *("invalid_image", "invalid_image_format", "invalid_image_mode", "invalid_image_url"),
        *("invalid_prompt", "misalignment_policy_violation", "unsupported_image_media_type"),
    ]
)
_STATUSES = {**dict.fromkeys(_ABOUT_THE_REQUEST, 400), "rate_limit_exceeded": 429}
_UNSAID: Mapping[str, Any] = {"code": "server_error"}


def raise_failure_of_event(document: object, classifier: ErrorClassifier) -> None:
    """Raise the Fault of an event that is an error, by its name or by its type."""
    _raise(error_of_event(document) or _UNSAID, classifier)


def raise_failure_of_response(response: Mapping[str, Any], classifier: ErrorClassifier) -> None:
    """Raise the Fault of a response that has failed."""
    if response.get("status") == "failed" or response.get("error"):
        is_begun = bool(response.get("output"))  # and paid for, as far as it came
        _raise(response.get("error") or _UNSAID, classifier, is_paid=is_begun)


def raise_failure_instead_of_response(
    document: Mapping[str, Any], classifier: ErrorClassifier
) -> None:
    """Raise the Fault of a `document` that is an error in place of a response."""
    error = find_error(document, is_whole=True)
    if error is not None:
        _raise(error, classifier)


def _raise(error: object, classifier: ErrorClassifier, *, is_paid: bool = False) -> None:
    if isinstance(error, dict) and (status := _STATUSES.get(str(error.get("code")))) is not None:
        error = {**error, "status": status}
    raise_error(error, classifier, is_paid=is_paid)
