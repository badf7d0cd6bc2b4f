"""Addresses of a Redis or Valkey that is more than one server: a cluster, or sentinels.

The forms are those of the library `limits` (https://limits.readthedocs.io/en/stable/storage.html),
with a database behind the name of the service, and with TLS and passwords of the sentinels as
other libraries write them (https://docs.prefect.io/integrations/prefect-redis):

    redis+cluster://[[user]:password@]host[:port],host[:port]
    redis+sentinel://[[user]:password@]host[:port],host[:port]/service[/database]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

CLUSTER, SENTINEL = "cluster", "sentinel"
# A scheme, what is behind its address, and whether it is reached by TLS.
MANY_NODES: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        f"{name}{ending}+{kind}": (kind, ending == "s")
        for kind in (CLUSTER, SENTINEL)
        for name in ("redis", "valkey")
        for ending in ("", "s")
    }
)
_PORTS: Mapping[str, int] = MappingProxyType({CLUSTER: 6379, SENTINEL: 26379})
_CA = "ssl_ca_certs"
_USER, _PASSWORD = "sentinel_username", "sentinel_password"


@dataclass(frozen=True, slots=True)
class RedisNodes:
    """Servers that are one store.

    Attributes:
        kind: CLUSTER or SENTINEL.
        hosts: host and port of each server that is named: nodes of the cluster, or sentinels.
        service: the name that the sentinels know; "" of a cluster.
        database: its number; 0 of a cluster.
        sentinel_username: with `sentinel_password` who asks the sentinels.
        is_tls: whether nodes and sentinels are reached by TLS.
        ca_certs: the path of a file with certificates that are trusted; None: those of the system.
        secrets: the passwords, as they are written and as they are meant.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...]
    username: str | None
    password: str | None
    service: str
    database: int
    sentinel_username: str | None
    sentinel_password: str | None
    is_tls: bool
    ca_certs: str | None
    secrets: tuple[str, ...]


def parse_nodes(url: str) -> RedisNodes | None:
    """Parse an address of several servers; None where the URL is of one, or of no Redis.

    Who is named before the hosts asks the sentinels, too, unless `sentinel_password` says who does;
    an empty one says that they want no password.

    Raises:
        ValueError: the address has such a scheme, and another form.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in MANY_NODES:
        return None
    kind, is_tls = MANY_NODES[scheme.lower()]
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    who, _, hosts = authority.rpartition("@")
    user, _, password = who.partition(":")
    if "@" in who or ":" in password:
        raise ValueError
    service, database = _place(kind, path)
    options = _options(query, kind, is_tls=is_tls)
    asks = user, password
    if _PASSWORD in options or _USER in options:
        asks = options.get(_USER, ""), options.get(_PASSWORD, "")
    written = {password, asks[1]} - {""}
    return RedisNodes(
        kind=kind,
        hosts=tuple(_host(one, _PORTS[kind]) for one in hosts.split(",")),
        username=unquote(user) or None,
        password=unquote(password) or None,
        service=service,
        database=database,
        sentinel_username=unquote(asks[0]) or None,
        sentinel_password=unquote(asks[1]) or None,
        is_tls=is_tls,
        ca_certs=unquote(options.get(_CA, "")) or None,
        secrets=tuple(sorted(written | {unquote(one) for one in written})),
    )


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname or parts.port == 0:
        raise ValueError
    return parts.hostname, parts.port or default_port


def _place(kind: str, path: str) -> tuple[str, int]:
    """Return the name of the service and the number of the database."""
    if kind == CLUSTER:
        if path not in {"", "0"}:
            raise ValueError
        return "", 0
    service, _, database = path.partition("/")
    if not service:
        raise ValueError
    number = int(database or 0)
    if number < 0:
        raise ValueError
    return unquote(service), number


def _options(query: str, kind: str, *, is_tls: bool) -> dict[str, str]:
    """Return what follows the `?`, as it is written."""
    known = ({_USER, _PASSWORD} if kind == SENTINEL else set()) | ({_CA} if is_tls else set())
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    options = {name: value for name, _, value in pairs}
    if not options.keys() <= known or len(options) < len(pairs):
        raise ValueError
    return options
