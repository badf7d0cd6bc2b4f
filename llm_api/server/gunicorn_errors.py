"""Answers to what gunicorn refuses before the application sees a request, in our envelope.

gunicorn itself would answer with a page in HTML that repeats what the client sent, and log it too:
a header that is broken may well be the one with a key in it.
"""

import logging
import traceback
from http import HTTPStatus
from ssl import SSLError

import orjson
from gunicorn.http import Request
from gunicorn.http.errors import (
    ConfigurationProblem,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.errors import ExpectationFailed as UnexpectedExpect

from llm_api.errors import (
    ApiError,
    ExpectationFailed,
    HttpNotImplemented,
    InvalidRequest,
    RequestHeadersTooLarge,
    ServiceError,
    UriTooLong,
)
from llm_api.observability.logging import new_request_id
from llm_api.web.middleware.security_headers import ALWAYS
from llm_api.web.response.error_formats import error_document, error_headers

logger = logging.getLogger(__name__)

_OURS = (ConfigurationProblem, InvalidResponseHeader, InvalidResponseHeaderName)


def answer_to(failure: Exception) -> bytes:
    """Return the whole answer to a request that could not be read, and log why."""
    request_id, path = new_request_id(), _path_read_before(failure)
    error = _error_of(failure)
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("unexpected error", exc_info=failure, extra={"path": path[:200]})
    else:
        # Not what it says: that is what the client sent.
        extra = {"status": error.status, "reason": error.reason, "cause": type(failure).__name__}
        logger.info("request", extra=extra)
    body = orjson.dumps(error_document(error, path, request_id))
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "x-request-id": request_id,
        "request-id": request_id,
        **dict(ALWAYS),
        **error_headers(error, path),
    }
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _error_of(failure: Exception) -> ApiError:
    if isinstance(failure, _OURS) or not isinstance(failure, ParseException | SSLError):
        message = "Something went wrong in this service; quote the request id to its operator."
        return ServiceError(message, reason="internal_error")
    if isinstance(failure, LimitRequestLine):
        return UriTooLong("The address must be shorter.", reason="address_too_long")
    if isinstance(failure, LimitRequestHeaders):
        return RequestHeadersTooLarge(
            "Headers must be fewer and shorter.", reason="headers_too_large"
        )
    if isinstance(failure, UnexpectedExpect):
        message = "Expect must be 100-continue, or left out."
        return ExpectationFailed(message, reason="expectation_failed")
    if isinstance(failure, UnsupportedTransferCoding):
        message = "Transfer-Encoding must be chunked, or left out."
        return HttpNotImplemented(message, reason="transfer_encoding_unsupported")
    return InvalidRequest("The request must be valid HTTP/1.1.", reason="malformed_http")


def _path_read_before(failure: Exception) -> str:
    """Return the path of a request whose first line was read; only the failure still knows it."""
    for frame, _ in traceback.walk_tb(failure.__traceback__):
        request = frame.f_locals.get("self")
        if isinstance(request, Request) and request.path:
            return str(request.path)
    return ""
