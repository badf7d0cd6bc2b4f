"""The nouns of access: who may call, how often and for how much."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

TOKENS = "tokens"  # the unit of a budget that is not money


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller or a model may take at most; None stands for no limit of its own.

    `requests` is written like `60/minute;1000/day`.
    """

    requests: str | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    concurrent_streams: int | None = None

    def or_else(self, others: "Limits") -> "Limits":
        """Fill in from others what is not limited here."""
        return Limits(
            self.requests or others.requests,
            self.tokens_per_minute or others.tokens_per_minute,
            self.concurrent_requests or others.concurrent_requests,
            self.concurrent_streams or others.concurrent_streams,
        )

    def without_requests(self) -> "Limits":
        """Leave out the limit of requests by time."""
        # dataclasses.replace takes four times as long, and this is asked for every call.
        return Limits(
            None, self.tokens_per_minute, self.concurrent_requests, self.concurrent_streams
        )


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class LimitState:
    """How far somebody is from a limit, which `text` names; `reset_in` is in seconds."""

    text: str
    limit: int
    remaining: int
    reset_in: float
    is_exceeded: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """What a key may spend in a calendar day or month, UTC.

    `unit` is `tokens`, or the currency of money, whose `amount` is in millionths.
    """

    period: str  # "day" or "month"
    unit: str
    amount: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a call may take at most of a budget; `period` is its day or month, `limit` its whole."""

    period: str
    unit: str
    amount: int
    limit: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a caller's key; the secret itself is known to the caller alone.

    `models` and `routes` are those it may use, None stands for all. `tags` are added to every call.
    """

    id: str
    name: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    disabled_at: datetime | None = None
    is_admin: bool = False
    models: tuple[str, ...] | None = None
    routes: tuple[str, ...] | None = None
    limits: Limits = field(default_factory=Limits)
    budgets: tuple[Budget, ...] = ()
    tags: tuple[str, ...] = ()

    def opens(self, path: str) -> bool:
        """Whether it may be used for a path; a route that ends in `*` is the beginning of some."""
        return self.routes is None or any(
            path.startswith(route[:-1]) if route.endswith("*") else path == route
            for route in self.routes
        )

    def may_use(self, model: str) -> bool:
        """Whether it may be used for a model."""
        return self.models is None or model in self.models

    def is_usable(self, now: datetime) -> bool:
        """Whether it lets anybody in at a moment, in UTC."""
        has_expired = self.expires_at is not None and self.expires_at <= now
        return self.disabled_at is None and not has_expired


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """How the service decides whom to let in.

    `static_keys` pairs names with secrets of the environment. `trusted_proxies` is the exact number
    of proxies in front, each of which appends the address it saw to X-Forwarded-For.
    """

    requires_key: bool = False
    static_keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    admin_key: str | None = field(default=None, repr=False)
    allows_open_access: bool = False
    trusted_proxies: int = 0
    cors_origins: tuple[str, ...] = ()

    @property
    def environment_keys(self) -> dict[str, ApiKey]:
        """The keys of the environment, by their secrets; usage rows know them as `env:NAME`."""
        keys = {secret: ApiKey(f"env:{name}", name) for name, secret in self.static_keys}
        if self.admin_key:
            keys[self.admin_key] = ApiKey("env:admin", "admin", is_admin=True)
        return keys

    @property
    def secrets(self) -> Sequence[str]:
        """Values that must never be shown or kept."""
        admins = [self.admin_key] if self.admin_key else []
        return [*(secret for _, secret in self.static_keys), *admins]
