"""Classifies the errors of vendors of pictures and films, and says whether they may want money.

What a vendor writes is never passed on: it carries account ids, signed addresses and prompts. Its
codes go into the log, with its id of the request.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llm_api.domain.making import MakingFailure
from llm_api.errors import (
    ApiError,
    ContentFiltered,
    InvalidRequest,
    RateLimited,
    Unavailable,
    Unprocessable,
    UpstreamFault,
    UpstreamTimeout,
)
from llm_api.upstream.faults import MAX_RETRY_AFTER
from llm_api.upstream.media.blamed_input import blamed_input
from llm_api.upstream.media.content_filters import content_filtered
from llm_api.upstream.media.error_table import WRONG_PROTOCOL, meaning_of
from llm_api.upstream.media.vendor_protocol import VendorAnswer
from llm_api.upstream.vendors.error_body import VendorError, error_in, read_error
from llm_api.upstream.vendors.errors import ABOUT_THE_SERVICE, asked_wait
from llm_api.upstream.vendors.operator_words import operator_words

logger = logging.getLogger(__name__)

# After these the vendor may have worked.
_MAY_BE_CHARGED = frozenset(["upstream_error", "upstream_timeout", "no_image_returned"])
_OF_STATUS = {
    401: "upstream_auth",
    402: "upstream_account",
    403: "upstream_auth",
    404: "upstream_model_missing",
    408: "upstream_timeout",
    429: "upstream_rate_limited",
    503: "overloaded",
    504: "upstream_timeout",
}
_PICTURES = frozenset(["images", "mask", "first_frame", "last_frame", "reference_images"])
_FULL = {429: "overloaded"}  # of a server of one's own, whose queue is full
_CODE = re.compile(r"[A-Za-z][A-Za-z_.]{2,60}|\d{1,6}")
_REQUEST_IDS = ("request_id", "requestId")
_REQUEST_ID_HEADERS = (
    "x-request-id",
    "x-dashscope-request-id",
    "x-siliconcloud-trace-id",
    "x-tt-logid",
    "x-client-request-id",
)
_ID_IN_BODY = re.compile(rb'"request_?[iI]d"\s*:\s*"([\w.:-]{1,200})"')
_READ_BYTES = 1 << 16
_BUSY = re.compile(r"overload|busy|capacity|unavailable|try again|繁忙|过载", re.IGNORECASE)
_JSON = (b"{", b"[", b'"')
_PIXELS = re.compile(r"at (least|most) (\d{4,10}) pixels", re.IGNORECASE)


def image_error(vendor: str, answer: VendorAnswer, *, field_names: Mapping[str, str]) -> ApiError:
    """Return the error of an answer that is one, whatever its status and form.

    Args:
        vendor: whose codes come first: `openai`, `ark`, `dashscope`, `zhipu`, `siliconflow` or
            `local`.
        answer: the answer.
        field_names: our names of fields by the vendor's, for those that it refuses.
    """
    sent = error_in(answer.body)
    status = None if answer.status < 300 else answer.status
    wait = asked_wait(answer.headers.get("retry-after", ""), sent)
    error = _error(vendor, sent, status, wait, field_names)
    if answer.status == 503 and not _is_clear(answer, sent):
        error = charged(error)
    found = _ID_IN_BODY.search(answer.body[:_READ_BYTES])
    request_id = vendor_request_id(answer, {"request_id": found[1].decode()} if found else None)
    _log(vendor, sent, error, request_id)
    return _told(error, status, sent)


def _is_clear(answer: VendorAnswer, sent: VendorError) -> bool:
    """Whether a 503 is the vendor's own word; else it may be at work behind what has sent it."""
    is_own = answer.body.lstrip().startswith(_JSON)
    return is_own and (sent.has_telling_name or _BUSY.search(sent.words) is not None)


def error_inside(
    vendor: str, document: object, *, field_names: Mapping[str, str], request_id: str | None = None
) -> ApiError:
    """Return the error that stands inside an answer or an event: an object, or a text."""
    sent = read_error(document)
    error = _error(vendor, sent, None, None, field_names)
    _log(vendor, sent, error, request_id)
    return _told(error, None, sent)


def _told(error: ApiError, status: int | None, sent: VendorError) -> ApiError:
    """Add what the operator is told; a sentence about a picture may repeat its prompt."""
    said = operator_words(sent) if error.reason in ABOUT_THE_SERVICE else ""
    return error.replaced(upstream_status=status, upstream_said=said)


def vendor_request_id(answer: VendorAnswer, document: object) -> str | None:
    """Return the vendor's id of a request, from its body or from a header."""
    named = [document.get(name) for name in _REQUEST_IDS] if isinstance(document, dict) else []
    named += [answer.headers.get(name) for name in _REQUEST_ID_HEADERS]
    return next((str(one)[:200] for one in named if one and isinstance(one, str)), None)


def picture_failure(error: ApiError) -> MakingFailure:
    """Return what one picture of several failed of."""
    stage, what = (error.stage, error.what) if isinstance(error, ContentFiltered) else (None, None)
    return MakingFailure(error.reason, error.message, error.retryable, stage, what)


def commonest(errors: Sequence[ApiError]) -> ApiError:
    """Return the error that stands for all; the first of equally common ones."""
    reason = Counter(error.reason for error in errors).most_common(1)[0][0]
    return next(error for error in errors if error.reason == reason)


def charged(error: ApiError) -> ApiError:
    """Return an error after which the vendor may want money: it must not be repeated unseen."""
    return error.replaced(may_have_charged=True, retryable=False, retry_after=None)


def no_image() -> ApiError:
    """Return the error of an answer without a picture and without a reason."""
    message = "The model service answered without a picture."
    return charged(UpstreamFault(message, reason="no_image_returned"))


def bad_answer(what: str) -> ApiError:
    """Return the error of an answer that is not what the API promises: `what` was sent."""
    message = f"The model service sent {what}."
    return charged(UpstreamFault(message, reason="upstream_bad_response"))


def task_failed(error: ApiError | None, *, may_have_charged: bool) -> ApiError:
    """Return the error of a task that has failed, of what the vendor says of it, if anything."""
    is_plain = error is None or error.reason in {*_MAY_BE_CHARGED, "overloaded"}
    if error is None or is_plain:
        error = UpstreamFault("The model service could not finish the task.", reason="task_failed")
    return error.replaced(may_have_charged=may_have_charged, retryable=False, retry_after=None)


def task_cancelled() -> ApiError:
    """Return the error of a task that was cancelled at the vendor."""
    return UpstreamFault("The task was cancelled at the model service.", reason="task_failed")


def task_not_found() -> ApiError:
    """Return the error of a task that the vendor does not know, or not any more."""
    message = "The model service does not know the task any more; it may have done its work."
    return charged(UpstreamFault(message, reason="task_not_found"))


def of_meaning(meaning: str, wait: int = 1) -> ApiError:
    """Return the error of a meaning without a field; the vendor asked to wait `wait` seconds."""
    error = _MEANINGS[meaning](wait)
    return charged(error) if meaning in _MAY_BE_CHARGED else error


def _error(
    vendor: str,
    sent: VendorError,
    status: int | None,
    wait: int | None,
    field_names: Mapping[str, str],
) -> ApiError:
    meaning = meaning_of(vendor, status, sent) or _of_status(vendor, status)
    if meaning == "content_filtered":
        return content_filtered(sent)
    if meaning in {"invalid_request", "invalid_image"}:
        return _invalid(sent, meaning, field_names)
    if meaning == "image_fetch_failed":
        return _fetch_failed(field_names.get("images", "images"))
    error = of_meaning(meaning, max(wait or 0, 1))
    return error.replaced(
        allows_failover=not isinstance(error, InvalidRequest),  # another upstream may do better
        # SDKs ignore a longer Retry-After than they are used to, and come too early.
        retries_exhausted=(error.retry_after or 0) > MAX_RETRY_AFTER,
    )


def _of_status(vendor: str, status: int | None) -> str:
    if status is None or status >= 500:
        return _OF_STATUS.get(status or 500, "upstream_error")
    if status < 400:
        return "upstream_redirect"
    full = _FULL.get(status) if vendor == "local" else None
    return full or _OF_STATUS.get(status, "invalid_request")


def _invalid(sent: VendorError, meaning: str, field_names: Mapping[str, str]) -> ApiError:
    """Return the error of a refused field: of the size and of pictures, with their own reasons."""
    field = blamed_input(sent, field_names)
    if meaning == "invalid_image" or field in _PICTURES:
        return _invalid_image(field if field in _PICTURES else field_names.get("images", "images"))
    if field == "size":
        limit = _PIXELS.search(sent.message)
        known = f" of at {limit[1].lower()} {limit[2]} pixels" if limit else ""
        problem = f"must be a size{known} that this model makes."
        return InvalidRequest.of_field("size", problem, reason="invalid_size")
    if field:
        problem = "is not accepted by this model, or has a value that is not."
        return InvalidRequest.of_field(field, problem, reason="invalid_request")
    return of_meaning("invalid_request")


def _invalid_image(field: str) -> ApiError:
    """Return the error of a picture that cannot be read; "" stands for one of several fields."""
    problem = "must be pictures that this model can read."
    if not field:
        return InvalidRequest(f"What the request shows {problem}", reason="invalid_image")
    return InvalidRequest.of_field(field, problem, reason="invalid_image")


def _fetch_failed(field: str) -> ApiError:
    """Return the error of what a vendor could not download; `field` as above."""
    if not field:
        message = "What the request refers to must be what the model service can download in time."
        return Unprocessable(message, reason="image_fetch_failed")
    problem = "must be pictures that the model service can download in time."
    return Unprocessable.of_field(field, problem, reason="image_fetch_failed")


def _refused(_: int) -> ApiError:
    message = "The model service refused the request: it does not accept one of its parameters."
    return InvalidRequest(message, reason="invalid_request")


def _auth(_: int) -> ApiError:
    message = "The model service refused this service's key; tell the operator."
    return UpstreamFault(message, reason="upstream_auth")


def _account(_: int) -> ApiError:
    message = "The model service refused this service's account; tell the operator."
    return UpstreamFault(message, reason="upstream_account")


def _model_missing(_: int) -> ApiError:
    message = "The model service does not have the configured model; tell the operator."
    return UpstreamFault(message, reason="upstream_model_missing")


def _wrong_protocol(_: int) -> ApiError:
    message = "The model service has this model under another API; tell the operator."
    return UpstreamFault(message, reason="upstream_model_missing")


def _rate_limited(wait: int) -> ApiError:
    message = "The model service is limiting the rate of requests; try again later."
    return RateLimited(message, reason="upstream_rate_limited", retry_after=wait)


def _overloaded(wait: int) -> ApiError:
    message = "The model service has no free place at the moment; try again later."
    return Unavailable(message, reason="overloaded", retry_after=wait)


def _failed(_: int) -> ApiError:
    return UpstreamFault("The model service failed.", reason="upstream_error")


def _timed_out(_: int) -> ApiError:
    message = "The model service did not answer in time."
    return UpstreamTimeout(message, reason="upstream_timeout")


def _redirected(_: int) -> ApiError:
    message = "The model service answered with a redirect, which is not followed."
    return UpstreamFault(message, reason="upstream_redirect")


_MEANINGS: Mapping[str, Callable[[int], ApiError]] = {
    "invalid_request": _refused,
    "overloaded": _overloaded,
    "upstream_account": _account,
    "upstream_auth": _auth,
    "upstream_error": _failed,
    "upstream_model_missing": _model_missing,
    "upstream_rate_limited": _rate_limited,
    "upstream_redirect": _redirected,
    "upstream_timeout": _timed_out,
    WRONG_PROTOCOL: _wrong_protocol,
}


def _log(vendor: str, sent: VendorError, error: ApiError, request_id: str | None) -> None:
    codes = [name for name in sent.names if _CODE.fullmatch(name)]
    about: dict[str, Any] = {"vendor": vendor, "reason": error.reason, "vendor_codes": codes[:5]}
    logger.warning("vendor refused", extra={**about, "vendor_request_id": request_id})
