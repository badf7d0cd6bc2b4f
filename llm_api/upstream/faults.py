"""Every way an upstream can fail, as one of our errors.

The texts are ours: an upstream's own can carry account ids, endpoint ids and prompts. What an
upstream says itself, by status and code, is read in `refusals.py`.
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

MAX_RETRY_AFTER = 60
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}


class Fault(Exception):
    """An attempt failed: the error to answer with, and whether another attempt makes sense."""

    def __init__(
        self,
        error: ApiError,
        *,
        is_repeatable: bool = False,
        wait: int | None = None,
        elsewhere: bool = False,
    ) -> None:
        """Take the answer the caller gets if this attempt was the last.

        `wait` is for how many seconds the upstream asked to be left alone; `elsewhere` says that
        nothing of an answer has come, so that another upstream may be asked.
        """
        super().__init__(error.message)
        self.error = error
        self.error.allows_failover = elsewhere
        self.is_repeatable = is_repeatable
        self.wait = wait


class RetryDifferently(Exception):
    """The upstream takes the request in another form; `fault` is told if there is no other try."""

    word: ClassVar[str]

    def __init__(self, fault: Fault) -> None:
        """Take the refusal as a fault."""
        super().__init__(self.word)
        self.fault = fault


class StreamOptionsRejected(RetryDifferently):
    """The upstream does not know `stream_options`: to be asked again without."""

    word = "usage_refused"


class StreamingRequired(RetryDifferently):
    """The model answers streamed calls only: to be asked again for a stream."""

    word = "only_streams"


class ClientGone(ServiceError):
    """The client hung up while the upstream was at work; nobody reads this answer."""

    status = 499

    def __init__(self) -> None:
        """Make the error."""
        super().__init__("The client closed the connection.", reason="client_closed")


class ShuttingDown(Unavailable):
    """This service ends, and the grace time of its calls is over."""

    def __init__(self) -> None:
        """Make the error."""
        super().__init__(
            "This service is shutting down and cannot finish the answer; send the request again.",
            reason="server_shutdown",
            retry_after=1,
        )


def bad_response(what: str) -> Fault:
    """Make the fault for an answer that is not what the API promises."""
    return Fault(
        UpstreamFault(
            f"The model service sent {what}.", reason="upstream_bad_response", retryable=True
        )
    )


def too_large() -> Fault:
    """Make the fault for an answer over the byte cap."""
    return Fault(
        UpstreamFault(
            "The model service sent more than this service accepts.", reason="upstream_too_large"
        )
    )


def truncated() -> Fault:
    """Make the fault for a stream that ended before the answer did."""
    message = "The model service ended its answer before it was complete."
    return Fault(UpstreamFault(message, reason="upstream_truncated", retryable=True))


def timed_out(*, elsewhere: bool = False) -> Fault:
    """Make the fault for an upstream that was silent or slow for too long; it is not repeated."""
    return Fault(
        UpstreamTimeout("The model service did not answer in time.", reason="upstream_timeout"),
        elsewhere=elsewhere,
    )


def overloaded() -> Unavailable:
    """Make the error for a call that found all places at the upstream taken."""
    error = Unavailable(
        "The model service has no free place at the moment; try again shortly.",
        reason="overloaded",
        retry_after=1,
    )
    error.allows_failover = True
    return error


def circuit_open(wait: float) -> Fault:
    """Make the fault for a call while the upstream is left alone, for `wait` more seconds."""
    error = Unavailable(
        "The model service has failed too often and is left alone for a while; try again later.",
        reason="circuit_open",
        retry_after=min(math.ceil(wait), MAX_RETRY_AFTER),
    )
    # SDKs ignore a Retry-After of more than a minute, and hammer.
    error.retries_exhausted = wait > MAX_RETRY_AFTER
    return Fault(error, elsewhere=True)


def while_connecting(error: Exception) -> Fault:
    """Translate what was raised before a connection stood."""
    # A RuntimeError is a thread that could not be started, to look up the name.
    if isinstance(error, RuntimeError) or getattr(error, "errno", None) in _NO_DESCRIPTOR:
        return Fault(overloaded())  # we are: no other upstream could be reached either
    is_tls = isinstance(error, ssl.SSLError | ssl.CertificateError | urllib3.exceptions.SSLError)
    # Who hangs up in the handshake says nothing about certificates.
    if is_tls and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        message = "The model service's TLS certificate could not be verified."
        return Fault(UpstreamFault(message, reason="upstream_tls"), elsewhere=True)
    if isinstance(error, urllib3.exceptions.NameResolutionError | socket.gaierror):
        message = "The model service's host name could not be resolved."
        unresolved = Unavailable(message, reason="upstream_dns", retry_after=5)
        return Fault(unresolved, is_repeatable=True, elsewhere=True)
    # urllib3 derives its error for a refused connection from the one for a slow connection.
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError | TimeoutError) and not is_refused:
        message = "The model service could not be reached in time."
        too_slow = UpstreamTimeout(message, reason="connect_timeout")
        return Fault(too_slow, is_repeatable=True, elsewhere=True)
    message = "The model service could not be reached."
    unreachable = Unavailable(message, reason="upstream_unreachable", retry_after=5)
    return Fault(unreachable, is_repeatable=True, elsewhere=True)


def while_waiting(error: Exception) -> Fault:
    """Translate what was raised between sending the request and the first byte of the answer."""
    if isinstance(error, TimeoutError):
        return timed_out(elsewhere=True)
    if isinstance(error, http.client.RemoteDisconnected | OSError):
        message = "The model service closed the connection without an answer."
        disconnected = UpstreamFault(message, reason="upstream_disconnected", retryable=True)
        return Fault(disconnected, is_repeatable=True, elsewhere=True)
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
        return Fault(UpstreamFault(message, reason="upstream_disconnected", retryable=True))
    return bad_response("an answer that is not HTTP")
