"""One attempt at a call that may cost money, and what its failure means.

Until the first byte has left, nothing can have been charged: another attempt is harmless. From then
on only an answer says what has happened: a clear refusal for a reason that passes may be repeated,
and everything else may have been paid.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_api.domain.calls import Completion, TokenUsage
from llm_api.domain.making import VendorResult, VendorTask
from llm_api.errors import ApiError
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.response_body import UpstreamResponse
from llm_api.upstream.http.vendor_transport import Outgoing, VendorTransport
from llm_api.upstream.media.making_errors import charged
from llm_api.upstream.resilience.endpoint_health import EndpointHealth
from llm_api.upstream.resilience.endpoint_pool import EndpointPool, PooledEndpoint, server_of

# Refusals before any work that pass by themselves.
_PASSING = frozenset(["overloaded", "upstream_rate_limited"])
_CERTAIN = frozenset(["upstream_account", "upstream_auth"])  # by a status or a code of the vendor
Made = VendorResult | VendorTask


class VendorEndpoint(PooledEndpoint):
    """One key at one address of a vendor."""

    transport: VendorTransport

    def __init__(
        self, name: str, transport: VendorTransport, health: EndpointHealth, url: str, provider: str
    ) -> None:
        """Create an endpoint of a `provider` without calls; `url` is its configured address."""
        super().__init__(name, transport, health, server=server_of(provider, url))
        self.url = url


@dataclass(slots=True)
class _Progress:
    """How far an attempt has come."""

    has_left: bool = False


class PaidAttempt:
    """Sends a call to one of a vendor's endpoints."""

    def __init__(
        self,
        upstream: str,
        endpoints: EndpointPool,
        about: Mapping[str, Any],
        read: Callable[[UpstreamResponse], Made],
        on_sent: Callable[[], None],
    ) -> None:
        """Prepare the attempts of one call.

        Args:
            upstream: its name, in usage rows and logs.
            endpoints: one of them gets the attempt.
            about: what the circuit breakers tell calls apart by: the model, and whether there are
                pictures of a caller.
            read: reads the answer; raises faults.Fault or ApiError.
            on_sent: called before the first byte leaves.
        """
        self._upstream, self._endpoints, self._about = upstream, endpoints, about
        self._read, self._on_sent = read, on_sent

    def make(
        self, outgoing: Callable[[VendorEndpoint], Outgoing], call: UpstreamCall
    ) -> tuple[VendorEndpoint, Made]:
        """Make an attempt; raises faults.Fault or CircuitOpen.

        `outgoing` addresses the request to an endpoint.
        """
        acquired, permit = self._endpoints.acquire(call, self._about)
        assert isinstance(acquired, VendorEndpoint)  # noqa: S101  # the pool has no others
        try:
            with permit, call.attempt(self._upstream, acquired.name, str(self._about["model"])):
                if call.trace is not None:
                    call.trace_attempt("image", self._about, acquired.server)
                made = self._made(outgoing(acquired), acquired, call)
                if call.trace is not None and isinstance(made, VendorResult):
                    call.trace_answer(_traced(made))
                return acquired, made
        finally:
            self._endpoints.release(acquired)

    def _made(self, outgoing: Outgoing, endpoint: VendorEndpoint, call: UpstreamCall) -> Made:
        progress = _Progress()

        def leave() -> None:
            self._on_sent()
            progress.has_left = True

        try:
            with endpoint.transport.send(replace(outgoing, on_sent=leave), call) as response:
                call.record_first_token()
                try:
                    return self._read(response)
                except ApiError as error:
                    raise _fault_of(error) from error
        except faults.Fault as fault:
            if not progress.has_left or isinstance(fault, _Answered):
                raise
            raise _charged(fault) from fault


def _traced(made: VendorResult) -> Completion:
    """Return what a span says of pictures: the tokens, where the vendor counts them."""
    used = made.usage
    return Completion({}, b"", TokenUsage(used.input_tokens, used.output_tokens))


class _Answered(faults.Fault):
    """What an answer has said."""


def _fault_of(error: ApiError) -> _Answered:
    """Return the fault of an answer; it knows itself whether anything was charged."""
    is_free = not error.may_have_charged
    passes = is_free and error.reason in _PASSING
    if not is_free:
        error = error.replaced(retries_exhausted=True)
    return _Answered(
        error,
        is_repeatable=passes,
        wait=error.retry_after if passes else None,
        allows_failover=is_free and error.allows_failover,
        is_certain=error.reason in _CERTAIN,
    )


def _charged(fault: faults.Fault) -> faults.Fault:
    """Return the fault of a call that had left and came to no answer."""
    error = charged(fault.error).replaced(retries_exhausted=True)
    return faults.Fault(error, is_certain=fault.is_certain)
