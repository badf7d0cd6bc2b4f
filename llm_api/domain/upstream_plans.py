"""How upstreams are configured: where they are, and how long they may take."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of an upstream: base URL up to `/v1`, API key (may be empty), default model."""

    url: str
    model: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """The configuration of an upstream.

    `endpoints` are keys or addresses of one service that share its load, `fallback` the upstreams
    and models to try when it fails, `profile` its vendor profile; None chooses by the address.
    """

    endpoints: tuple[Endpoint, ...]
    fallback: tuple[str, ...] = ()
    profile: str | None = None

    @property
    def model(self) -> str:
        """The model for requests that name none."""
        return self.endpoints[0].model


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an upstream may take, in seconds; `stream` is the total for a streamed answer."""

    connect: float
    first_byte: float
    idle: float
    total: float
    stream: float
