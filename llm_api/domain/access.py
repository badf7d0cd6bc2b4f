"""Access: API keys, rate limits and budgets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

ENVIRONMENT = "env:"  # begins the ids of keys that the settings name
TOKENS = "tokens"  # the unit of a budget that is not money
BUDGET = "budget"  # the kind of a LimitState that is a budget's

GROUP_PREFIX = "group_"  # of the ids of groups


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a caller or a model; None: no limit of its own.

    Attributes:
        requests: limits by time, such as `60/minute;1000/day`.
        tokens_per_minute: tokens of prompts and completions.
        concurrent_requests: calls in progress, streams included.
        concurrent_streams: streams in progress.
        images_per_minute: pictures that are asked for.
    """

    requests: str | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    concurrent_streams: int | None = None
    images_per_minute: int | None = None

    def or_else(self, others: "Limits") -> "Limits":
        """Return these limits, and the others' where there is none here."""
        return Limits(
            self.requests or others.requests,
            self.tokens_per_minute or others.tokens_per_minute,
            self.concurrent_requests or others.concurrent_requests,
            self.concurrent_streams or others.concurrent_streams,
            self.images_per_minute or others.images_per_minute,
        )

    def of_chat(self) -> "Limits":
        """Return the limits of a call for text: requests are counted before, images elsewhere."""
        # dataclasses.replace takes four times as long, and every call needs this.
        return Limits(
            None, self.tokens_per_minute, self.concurrent_requests, self.concurrent_streams
        )


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class LimitState:
    """State of one limit of a caller.

    Attributes:
        text: the limit as it is configured, such as `60/minute`.
        limit, remaining: requests or tokens.
        reset_in: seconds until the limit is fully available again; infinite for never.
        unit: that of a budget: `tokens`, or the currency whose millionths the numbers are.
    """

    text: str
    limit: int
    remaining: int
    reset_in: float
    is_exceeded: bool = False
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a key may spend in a calendar day, week or month, UTC, or ever.

    Attributes:
        period: one of `budget_periods.PERIODS`.
        unit: `tokens`, or an ISO 4217 currency code.
        amount: tokens, or millionths of the currency.
    """

    period: str
    unit: str
    amount: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """The upper bound of a call's share of a budget.

    Attributes:
        period: its name, as of `budget_periods.period_name`.
        unit: that of the budget.
        amount: the upper bound, in the budget's unit.
        limit: the whole budget.
        group_id: of the group whose budget it is; None: the key's own.
    """

    period: str
    unit: str
    amount: int
    limit: int
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call claims of the budgets of its key and its key's group.

    Attributes:
        key_id: id of the key.
        request_id: id of the call, unique.
        at: time of the claim; a day later it counts as abandoned. Timezone-aware.
        wanted: one reservation a budget.
    """

    key_id: str
    request_id: str
    at: datetime
    wanted: Sequence[Reservation]

    @property
    def holders(self) -> frozenset[str]:
        """The ids of those whose budgets it claims: the key, and its group."""
        groups = (part.group_id for part in self.wanted if part.group_id is not None)
        return frozenset((self.key_id, *groups))


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """A group that keys join, whose limits and budgets they share.

    Attributes:
        id: `group_` and 16 hexadecimal digits.
        name: unique.
        created_at: UTC.
        limits: of all its keys together; no others apply where there is none.
    """

    id: str
    name: str
    created_at: datetime | None = None
    limits: Limits = NO_LIMITS
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without its secret, which is not stored.

    Attributes:
        id: `key_` and 16 hexadecimal digits; `env:NAME` for a key of the environment.
        created_at, expires_at, disabled_at: UTC; None: unknown or never.
        is_admin: whether it may manage keys and see all usage.
        models, routes: those it may use; None: all. A route that ends in `*` is a prefix.
        tags: added to every call.
        group: the group that it has joined, whose limits and budgets hold it beside its own.
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
    group: KeyGroup | None = None

    @property
    def has_budgets(self) -> bool:
        """Whether a budget holds it, its own or its group's."""
        return bool(self.budgets) or (self.group is not None and bool(self.group.budgets))

    @property
    def group_id(self) -> str | None:
        """The id of its group."""
        return None if self.group is None else self.group.id

    def allows_route(self, path: str) -> bool:
        """Whether it may be used for a path."""
        return self.routes is None or any(
            path.startswith(route[:-1]) if route.endswith("*") else path == route
            for route in self.routes
        )

    def allows_model(self, model: str) -> bool:
        """Whether it may be used for a model."""
        return self.models is None or model in self.models

    def is_valid(self, now: datetime) -> bool:
        """Whether it is neither disabled nor expired at a time, in UTC."""
        has_expired = self.expires_at is not None and self.expires_at <= now
        return self.disabled_at is None and not has_expired


@dataclass(frozen=True, slots=True)
class KeyName:
    """What a key is called, or was until it was deleted."""

    name: str
    is_deleted: bool = False

    def __str__(self) -> str:
        """Write it as reports do."""
        return f"{self.name} (deleted)" if self.is_deleted else self.name


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """Configuration of access.

    Attributes:
        static_keys: pairs of names and secrets.
        admin_key: secret of an admin.
        allows_open_access: whether to serve public addresses without keys.
        trusted_proxies: exact number of proxies in front, each of which appends the address it
            sees to X-Forwarded-For.
        cors_origins: origins such as `https://app.example`.
    """

    requires_key: bool = False
    static_keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    admin_key: str | None = field(default=None, repr=False)
    allows_open_access: bool = False
    trusted_proxies: int = 0
    cors_origins: tuple[str, ...] = ()

    @property
    def environment_keys(self) -> dict[str, ApiKey]:
        """The keys of the environment, by their secrets; their ids are `env:NAME`."""
        keys = {secret: ApiKey(f"{ENVIRONMENT}{name}", name) for name, secret in self.static_keys}
        if self.admin_key:
            keys[self.admin_key] = ApiKey(f"{ENVIRONMENT}admin", "admin", is_admin=True)
        return keys

    @property
    def secrets(self) -> Sequence[str]:
        """Values that must never be logged, sent or stored."""
        admins = [self.admin_key] if self.admin_key else []
        return [*(secret for _, secret in self.static_keys), *admins]
