"""Tells how upstreams are: their endpoints in this worker, and open circuits of all workers."""

from collections.abc import Sequence
from typing import Protocol

from llm_api.domain.upstream_states import EndpointState, UpstreamState
from llm_api.errors import Unavailable
from llm_api.observability.metric_catalogue import CIRCUITS
from llm_api.services.gauges import Gauges


class _Pool(Protocol):
    def states(self) -> list[EndpointState]:
        """Return how each of the endpoints is, in this process."""


class _Client(Protocol):
    name: str

    @property
    def endpoints(self) -> _Pool:
        """The endpoints of the upstream."""


class UpstreamStates:
    """Reads the states of upstreams."""

    def __init__(self, clients: Sequence[_Client], gauges: Gauges) -> None:
        """Read from the clients of this worker, and from the gauges of all."""
        self._clients, self._gauges = clients, gauges

    def all(self) -> list[UpstreamState]:
        """Return how each upstream is now."""
        try:
            circuits = self._gauges.of_all_workers(CIRCUITS)
        except Unavailable:
            circuits = None
        return [
            UpstreamState(
                client.name,
                client.endpoints.states(),
                None if circuits is None else round(circuits.get((client.name,), 0)),
            )
            for client in self._clients
        ]
