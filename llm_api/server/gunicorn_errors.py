"""Responses in our envelope to requests that gunicorn refuses before the application sees them.

gunicorn's own are HTML pages that repeat what the client sent, and it logs that, too: a malformed
header may well be the one with a key in it.
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
    """Log why a request could not be read, and return the HTTP response to it, head and body."""
    request_id, path = new_request_id(), _path_read_before(failure)
    error = _error_of(failure)
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("unexpected error", exc_info=failure, extra={"path": path[:200]})
    else:
        # Not its message, which quotes what the client sent.
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
    """Return the path of a request whose request line was parsed, "" where that failed.

    It decides the dialect of the error. gunicorn hands over no request when its headers are
    malformed: the object that was being parsed is only left in the frames of the traceback.
    """
    for frame, _ in traceback.walk_tb(failure.__traceback__):
        request = frame.f_locals.get("self")
        if isinstance(request, Request) and request.path:
            return str(request.path)
    return ""
