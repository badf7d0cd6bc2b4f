"""Every error this service answers with.

    ApiError
    ├── InvalidRequest        400  VALIDATION_ERROR
    │   ├── NotFound          404
    │   ├── MethodNotAllowed  405
    │   ├── BodyTooLarge      413
    │   ├── AddressTooLong    414
    │   ├── UnsupportedMedia  415
    │   ├── UnmetExpectation  417
    │   └── HeadTooLarge      431
    ├── Unauthorized          401  AUTHENTICATION_ERROR
    ├── Forbidden             403  AUTHENTICATION_ERROR
    ├── RateLimited           429  RATE_LIMIT_EXCEEDED
    └── ServiceError          500  SERVICE_ERROR
        ├── NotSpoken         501  a part of HTTP that is not spoken here
        ├── UpstreamFault     502  the upstream answered, wrongly
        ├── Unavailable       503  no upstream could be asked
        └── UpstreamTimeout   504  the upstream did not answer in time

An error knows no dialect: `web/response/error_formats.py` writes it in that of the caller's path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from llm_api.domain.calls import CallReport

MAX_FIELD_ERRORS = 10


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: its path, such as `messages[3].role`, and what would be right."""

    field: str
    message: str


class ApiError(Exception):
    """An answer to the caller. `message` is a sentence without key, prompt or upstream text."""

    status: ClassVar[int]
    code: ClassVar[str]
    retryable_by_default: ClassVar[bool] = False

    # Set with `replaced`:
    # This service has repeated the call already: repeats of the client would multiply.
    retries_exhausted: bool = False
    # Another upstream may do better: no answer has begun, and the request was not refused.
    allows_failover: bool = False
    # What would help: the client if the request is wrong, else the operator.
    hint: str | None = None
    # What is known of the failed call.
    report: CallReport | None = None

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        retryable: bool | None = None,
        retry_after: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Create an error with a stable `reason` word and `retry_after` in whole seconds."""
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
    """The request is wrong and stays wrong when repeated."""

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
        """Take the wrong `fields`, of which the first `MAX_FIELD_ERRORS` are kept."""
        super().__init__(message, reason=reason, headers=headers)
        self.fields = tuple(fields[:MAX_FIELD_ERRORS])

    @classmethod
    def of_field(cls, field: str, message: str, *, reason: str) -> "InvalidRequest":
        """Make the error for one wrong field."""
        sentence = f"{field}: {message}" if field else message
        return cls(sentence, reason=reason, fields=[FieldError(field, message)] if field else ())


class NotFound(InvalidRequest):
    """There is no such path or model."""

    status = 404


class MethodNotAllowed(InvalidRequest):
    """The path exists and has no such method; the answer carries `Allow`."""

    status = 405


class BodyTooLarge(InvalidRequest):
    """The request body is over the limit."""

    status = 413


class UriTooLong(InvalidRequest):
    """The request's first line is over the limit."""

    status = 414


class UnsupportedMedia(InvalidRequest):
    """The request body is not plain `application/json`."""

    status = 415


class ExpectationFailed(InvalidRequest):
    """The request expects something else than `100-continue`."""

    status = 417


class RequestHeadersTooLarge(InvalidRequest):
    """The request has too many headers, or too long ones."""

    status = 431


class Unauthorized(ApiError):
    """The caller has shown no key that is good here."""

    status = 401
    code = "AUTHENTICATION_ERROR"


class Forbidden(ApiError):
    """The caller's key is good, and does not allow this."""

    status = 403
    code = "AUTHENTICATION_ERROR"


class RateLimited(ApiError):
    """The caller, or this service at its upstream, has asked too often."""

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
        """Take in `scope` whose limit it is, and of what, such as `key.tokens`."""
        super().__init__(message, reason=reason, retryable=retryable, retry_after=retry_after)
        self.scope = scope


class ServiceError(ApiError):
    """The fault is on this side."""

    status = 500
    code = "SERVICE_ERROR"


class HttpNotImplemented(ServiceError):
    """The request uses a part of HTTP that this service does not speak."""

    status = 501


class UpstreamFault(ServiceError):
    """The upstream answered with something that cannot be passed on."""

    status = 502


class Unavailable(ServiceError):
    """No upstream could be asked: unreachable, starting, or all its places taken."""

    status = 503
    retryable_by_default = True


class UpstreamTimeout(ServiceError):
    """The upstream did not answer in time."""

    status = 504
    retryable_by_default = True
