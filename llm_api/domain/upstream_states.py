"""How upstreams are at the moment."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How an endpoint of an upstream is, in one process.

    Attributes:
        name: as in usage rows and logs.
        host: the host of its address.
        is_open: whether its circuit is, so that it is not called for now.
        wait_s: seconds until it may be called again.
        open_models: those of its models whose circuits are open, for anybody.
        calls_in_progress: of this process.
    """

    name: str
    host: str
    is_open: bool
    wait_s: float
    open_models: Sequence[str]
    calls_in_progress: int


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """How an upstream is.

    Attributes:
        open_circuits: endpoints with an open circuit, those of each worker of this machine; None
            where the workers share nothing.
    """

    name: str
    endpoints: Sequence[EndpointState]
    open_circuits: int | None
