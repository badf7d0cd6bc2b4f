"""Every way in which an attempt can fail, as one of our errors.

The sentences are ours: an upstream's own may carry account ids, endpoint ids and prompts. The
errors that an upstream sends itself, by status and code, are classified in `vendors/errors.py`.
"""

import errno
import http.client
import math
import socket
import ssl
from typing import ClassVar

import urllib3.exceptions

from llm_api.errors import (
    ApiError,
    ServiceError,
    Unavailable,
    UpstreamFault,
    UpstreamTimeout,
)

MAX_RETRY_AFTER = 60  # that every SDK waits for by itself
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}


class Fault(Exception):
    """A failed attempt: the error to answer with, and whether another attempt makes sense."""

    def __init__(
        self,
        error: ApiError,
        *,
        is_repeatable: bool = False,
        wait: int | None = None,
        allows_failover: bool = False,
        is_certain: bool = False,
    ) -> None:
        """Create a fault.

        Args:
            error: what the caller is answered if this attempt was the last.
            is_repeatable: whether the same upstream may be asked again.
            wait: for how many seconds the upstream asked not to be called.
            allows_failover: whether another upstream may be asked: no answer has begun.
            is_certain: whether no caller can have written what it was known by.
        """
        super().__init__(error.message)
        if allows_failover != error.allows_failover:
            error = error.replaced(allows_failover=allows_failover)
        self.error = error
        self.is_repeatable = is_repeatable
        self.wait = wait
        self.is_certain = is_certain

    def with_retries_exhausted(self) -> "Fault":
        """Return a copy whose error tells the client not to repeat the call."""
        return self.with_error(self.error.replaced(retries_exhausted=True))

    def with_error(self, error: ApiError) -> "Fault":
        """Return a copy with a changed error."""
        return Fault(
            error,
            is_repeatable=self.is_repeatable,
            wait=self.wait,
            allows_failover=self.error.allows_failover,
            is_certain=self.is_certain,
        )


class RetryDifferently(Exception):
    """The upstream takes the request in another form only.

    `fault` is raised instead if no attempt is left.
    """

    word: ClassVar[str]

    def __init__(self, fault: Fault) -> None:
        """Keep the refusal as a fault."""
        super().__init__(self.word)
        self.fault = fault


class StreamOptionsRejected(RetryDifferently):
    """The upstream does not know `stream_options`: send the request without."""

    word = "usage_refused"


class StreamingRequired(RetryDifferently):
    """The model answers streamed calls only: ask for a stream."""

    word = "only_streams"


class ClientGone(ServiceError):
    """The client disconnected while the upstream was at work; the answer reaches nobody."""

    status = 499

    def __init__(self) -> None:
        """Create the error."""
        super().__init__("The client closed the connection.", reason="client_closed")


class ShuttingDown(Unavailable):
    """The service is shutting down, and the grace time for running calls is over."""

    def __init__(self) -> None:
        """Create the error."""
        super().__init__(
            "This service is shutting down and cannot finish the answer; send the request again.",
            reason="server_shutdown",
            retry_after=1,
        )


def _paid(error: ApiError, *, allows_failover: bool = False) -> Fault:
    """Return the fault of an answer that the upstream may be paid for.

    Another attempt may succeed, but SDKs would make two by themselves, and pay for all three.
    """
    error = error.replaced(retries_exhausted=True)
    return Fault(error, allows_failover=allows_failover)


def bad_response(what: str) -> Fault:
    """Return the fault of an answer that is not what the API promises: `what` was sent."""
    message = f"The model service sent {what}."
    return _paid(UpstreamFault(message, reason="upstream_bad_response", retryable=True))


def too_large() -> Fault:
    """Return the fault of an answer over the byte cap."""
    return Fault(
        UpstreamFault(
            "The model service sent more than this service accepts.", reason="upstream_too_large"
        )
    )


def truncated() -> Fault:
    """Return the fault of a stream that ended before the answer did."""
    message = "The model service ended its answer before it was complete."
    return _paid(UpstreamFault(message, reason="upstream_truncated", retryable=True))


def timed_out(*, allows_failover: bool = False) -> Fault:
    """Return the fault of an upstream that was silent or slow for too long; it is not repeated."""
    message = "The model service did not answer in time."
    late = UpstreamTimeout(message, reason="upstream_timeout")
    return _paid(late, allows_failover=allows_failover)


def overloaded() -> Unavailable:
    """Return the error of a call that got no place at the upstream."""
    error = Unavailable(
        "The model service has no free place at the moment; try again shortly.",
        reason="overloaded",
        retry_after=1,
    )
    return error.replaced(allows_failover=True)


def circuit_open(wait: float) -> Fault:
    """Return the fault of a call refused by an open circuit, for `wait` more seconds."""
    error = Unavailable(
        "The model service has failed too often and is left alone for a while; try again later.",
        reason="circuit_open",
        retry_after=math.ceil(wait),
    )
    # SDKs ignore a Retry-After of more than a minute: they are told not to repeat.
    error = error.replaced(retries_exhausted=wait > MAX_RETRY_AFTER)
    return Fault(error, allows_failover=True)


def while_connecting(error: Exception) -> Fault:
    """Translate what was raised before the connection was established."""
    # A RuntimeError is a thread that could not be started, to look up the name.
    if isinstance(error, RuntimeError) or getattr(error, "errno", None) in _NO_DESCRIPTOR:
        return Fault(overloaded())  # we are: no other upstream could be reached either
    is_tls = isinstance(error, ssl.SSLError | ssl.CertificateError | urllib3.exceptions.SSLError)
    # Who hangs up in the handshake says nothing about certificates.
    if is_tls and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        message = "The model service's TLS certificate could not be verified."
        return Fault(UpstreamFault(message, reason="upstream_tls"), allows_failover=True)
    if isinstance(error, urllib3.exceptions.NameResolutionError | socket.gaierror):
        message = "The model service's host name could not be resolved."
        unresolved = Unavailable(message, reason="upstream_dns", retry_after=5)
        return Fault(unresolved, is_repeatable=True, allows_failover=True)
    # urllib3 derives its error for a refused connection from the one for a slow connection.
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError | TimeoutError) and not is_refused:
        message = "The model service could not be reached in time."
        too_slow = UpstreamTimeout(message, reason="connect_timeout")
        return Fault(too_slow, is_repeatable=True, allows_failover=True)
    message = "The model service could not be reached."
    unreachable = Unavailable(message, reason="upstream_unreachable", retry_after=5)
    return Fault(unreachable, is_repeatable=True, allows_failover=True)


def while_waiting(error: Exception) -> Fault:
    """Translate what was raised between sending the request and the first byte of the answer."""
    if isinstance(error, TimeoutError):
        return timed_out(allows_failover=True)
    if isinstance(error, http.client.RemoteDisconnected | OSError):
        message = "The model service closed the connection without an answer."
        disconnected = UpstreamFault(message, reason="upstream_disconnected", retryable=True)
        return Fault(disconnected, is_repeatable=True, allows_failover=True)
    return bad_response("an answer that is not HTTP")


def while_reading(error: Exception) -> Fault:
    """Translate what was raised after the first byte; none of it is repeated."""
    if isinstance(error, TimeoutError | urllib3.exceptions.ReadTimeoutError):
        return timed_out()
    if isinstance(error, urllib3.exceptions.DecodeError):
        # Layers of compression multiply: urllib3 refuses more than five of them.
        is_bomb = "too many content encodings" in str(error).lower()
        return too_large() if is_bomb else bad_response("a body that could not be decompressed")
    if isinstance(error, http.client.IncompleteRead | OSError | urllib3.exceptions.ProtocolError):
        message = "The model service closed the connection in the middle of its answer."
        return _paid(UpstreamFault(message, reason="upstream_disconnected", retryable=True))
    return bad_response("an answer that is not HTTP")
