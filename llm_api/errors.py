"""Every error that this service responds with.

    ApiError
    ├── InvalidRequest                  400  VALIDATION_ERROR
    │   ├── ContentFiltered             400
    │   ├── NotFound                    404
    │   ├── MethodNotAllowed            405
    │   ├── Conflict                    409
    │   ├── BodyTooLarge                413
    │   ├── UriTooLong                  414
    │   ├── UnsupportedMedia            415
    │   ├── RangeNotSatisfiable         416
    │   ├── ExpectationFailed           417
    │   ├── Unprocessable               422
    │   └── RequestHeadersTooLarge      431
    ├── Unauthorized                    401  AUTHENTICATION_ERROR
    ├── Forbidden                       403  AUTHENTICATION_ERROR
    ├── RateLimited                     429  RATE_LIMIT_EXCEEDED
    └── ServiceError                    500  SERVICE_ERROR
        ├── Gone                        410  what was made is not there any more
        ├── HttpNotImplemented          501  a part of HTTP that is not supported
        ├── UpstreamFault               502  the upstream sent an invalid response
        ├── Unavailable                 503  no upstream could be called
        └── UpstreamTimeout             504  the upstream did not respond in time

Errors are independent of the API dialect: `web/response/error_formats.py` formats them for the path
of the request.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from llm_api.domain.calls import CallReport

MAX_FIELD_ERRORS = 10


@dataclass(frozen=True, slots=True)
class FieldError:
    """An invalid field: its path, such as `messages[3].role`, and what is expected."""

    field: str
    message: str


class ApiError(Exception):
    """An error response. `message` is a sentence without key, prompt or upstream text."""

    status: ClassVar[int]
    code: ClassVar[str]
    retryable_by_default: ClassVar[bool] = False

    # Set with `replaced`:
    # This service has repeated the call already: repeats of the client would multiply.
    retries_exhausted: bool = False
    # Another upstream may do better: no answer has begun, and the request was not refused.
    allows_failover: bool = False
    # The upstream may have done the work, and may want money for it: a repeat could cost twice.
    may_have_charged: bool = False
    # What would help: the client if the request is wrong, else the operator.
    hint: str | None = None
    # What is known of the failed call.
    report: CallReport | None = None
    # Of an upstream's error, its status and its sentence, scrubbed: for the operator alone.
    upstream_status: int | None = None
    upstream_said: str = ""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        retryable: bool | None = None,
        retry_after: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Create an error.

        Args:
            message: a sentence for the caller.
            reason: a stable word for the cause.
            retryable: whether a retry can succeed; None for what is usual for the class.
            retry_after: whole seconds to wait before a retry.
            headers: to add to the response.
        """
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.retryable = self.retryable_by_default if retryable is None else retryable
        self.retry_after = retry_after
        self.headers = tuple(headers)

    def replaced(self, **changes: Any) -> Self:
        """Return a copy with other attributes; an error does not change once it was raised."""
        changed = type(self).__new__(type(self), *self.args)
        vars(changed).update(vars(self), **changes)
        return changed


class InvalidRequest(ApiError):
    """The request is invalid, and a retry would be, too."""

    status = 400
    code = "VALIDATION_ERROR"

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        fields: Sequence[FieldError] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Create an error; of the invalid `fields`, the first `MAX_FIELD_ERRORS` are kept."""
        super().__init__(message, reason=reason, headers=headers)
        self.fields = tuple(fields[:MAX_FIELD_ERRORS])

    @classmethod
    def of_field(cls, field: str, message: str, *, reason: str) -> "InvalidRequest":
        """Create the error for an invalid field; an empty `field` stands for the body."""
        sentence = f"{field}: {message}" if field else message
        return cls(sentence, reason=reason, fields=[FieldError(field, message)] if field else ())


class ContentFiltered(InvalidRequest):
    """A content filter has refused a request, or what a model made of it."""

    # `input` or `output`, and `text`, `image`, `face`, `audio` or `copyright`; None if not known.
    stage: str | None = None
    what: str | None = None


class NotFound(InvalidRequest):
    """The path or model does not exist."""

    status = 404


class MethodNotAllowed(InvalidRequest):
    """The path does not support the method; the response has `Allow`."""

    status = 405

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        """Create the error for a method, and for those that the path has."""
        names = ", ".join(sorted(allowed))
        super().__init__(
            f"This path takes {names or 'other methods'}, not {method[:20]}.",
            reason="method_not_allowed",
            headers=[("Allow", names)] if names else [],
        )


class Conflict(InvalidRequest):
    """What is wanted cannot be done in the state that a thing is in."""

    status = 409


class BodyTooLarge(InvalidRequest):
    """The request body exceeds the limit."""

    status = 413


class UriTooLong(InvalidRequest):
    """The request line exceeds the limit."""

    status = 414


class UnsupportedMedia(InvalidRequest):
    """The request body is not uncompressed `application/json`."""

    status = 415


class RangeNotSatisfiable(InvalidRequest):
    """The request asks for a part that the file does not have; the response has its length."""

    status = 416

    def __init__(self, size_bytes: int) -> None:
        """Create the error for a file of so many bytes."""
        super().__init__(
            f"Range: the file has {size_bytes} bytes.",
            reason="range_not_satisfiable",
            headers=[("Content-Range", f"bytes */{size_bytes}")],
        )


class ExpectationFailed(InvalidRequest):
    """The request's Expect header is not `100-continue`."""

    status = 417


class Unprocessable(InvalidRequest):
    """A part of the request that is right by itself could not be used."""

    status = 422


class RequestHeadersTooLarge(InvalidRequest):
    """The request has too many headers, or one is too long."""

    status = 431


class Unauthorized(ApiError):
    """The request has no valid API key."""

    status = 401
    code = "AUTHENTICATION_ERROR"


class Forbidden(ApiError):
    """The API key is valid, but not for this."""

    status = 403
    code = "AUTHENTICATION_ERROR"


class RateLimited(ApiError):
    """A limit of the caller, or of this service at its upstream, is exceeded."""

    status = 429
    code = "RATE_LIMIT_EXCEEDED"
    retryable_by_default = True

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        retryable: bool | None = None,
        retry_after: int | None = None,
        scope: str | None = None,
    ) -> None:
        """Create an error; `scope` says whose limit it is and of what, such as `key.tokens`."""
        super().__init__(message, reason=reason, retryable=retryable, retry_after=retry_after)
        self.scope = scope


class ServiceError(ApiError):
    """The fault is this service's or its upstream's."""

    status = 500
    code = "SERVICE_ERROR"


class Gone(ServiceError):
    """What was made is not there any more."""

    status = 410


class HttpNotImplemented(ServiceError):
    """The request uses a part of HTTP that is not supported."""

    status = 501


class UpstreamFault(ServiceError):
    """The upstream sent an invalid response."""

    status = 502


class Unavailable(ServiceError):
    """No upstream could be called: unreachable, starting, or at its concurrency limit."""

    status = 503
    retryable_by_default = True


class UpstreamTimeout(ServiceError):
    """The upstream did not respond in time."""

    status = 504
    retryable_by_default = True
