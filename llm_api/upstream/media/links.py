"""Which links are followed: by their scheme, their host, and the addresses that it has."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import requote_uri

MAX_LINK = 8_192  # signed ones have more than a thousand letters
_PORTS = {"http": 80, "https": 443}
# urlsplit drops some of these, and browsers take \ for /.
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Python's is_global, up to 3.13, takes these for addresses of the Internet: of protocols, relays,
# IPv4 in its oldest form, networks' own NAT64, and sites.
_NOT_GLOBAL = [
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "::/96", "64:ff9b:1::/48", "fec0::/10")
]


class LinkFailed(Exception):
    """What a link leads to was not fetched.

    `problem` is a clause for who gave the link, without its address. `defect` is `refused` (it must
    not be followed), `gone` (there is nothing any more), `too_large`, or `failed`.
    """

    def __init__(self, problem: str, defect: str = "failed") -> None:
        """Create it with a clause and a defect."""
        super().__init__(problem)
        self.problem = problem
        self.defect = defect


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """Which links are followed, and how far.

    Attributes:
        max_bytes: of the body.
        timeout: seconds for all, with redirects and repeats.
        hosts: names of hosts, such as `cdn.example` or `*.cdn.example`; None: every one, by https.
        near: the base addresses of an upstream, whose own links are followed wherever it is; those
            of all of the machine's ports if it is on this machine.
        allows_private: whether hosts may have private addresses, and do without TLS.
        is_on_usual_port: whether ports but those of http and https are refused.
    """

    max_bytes: int
    timeout: float
    hosts: tuple[str, ...] | None = None
    near: tuple[str, ...] = ()
    allows_private: bool = False
    is_on_usual_port: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """The parts of an address; `target` is its path with the query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The host, and the port where it is not the usual one: the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_of_this_machine(self) -> bool:
        """Whether its host is this machine by name, or by a loopback address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def is_near(self, bases: Sequence[str]) -> bool:
        """Whether it is one of the upstream at the addresses `bases`, see LinkPolicy."""
        return any(self._is_beside(split_link(base)) for base in bases)

    def _is_beside(self, other: "Link") -> bool:
        if (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port):
            return True
        return self.is_of_this_machine and other.is_of_this_machine


def split_link(url: str) -> Link:
    """Return the parts of an http:// or https:// address; raises LinkFailed."""
    wrong = LinkFailed("must be an https:// address.", "refused")
    if len(url) > MAX_LINK or _ODD.search(url):
        raise wrong
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if not host.isascii():
            host = host.encode("idna").decode()
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:  # UnicodeError, too
        raise wrong from None
    if parts.scheme not in _PORTS or not host or not port or "@" in parts.netloc:
        raise wrong
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii():  # else it may be signed, and is sent as it came
        target = requote_uri(target)
    return Link(parts.scheme, host.lower(), port, target)


def vetted_link(url: str, policy: LinkPolicy) -> Link:
    """Return the parts of a link that may be followed; raises LinkFailed."""
    link = split_link(url)
    if link.is_near(policy.near):
        return link
    if policy.is_on_usual_port and link.port not in _PORTS.values():
        raise LinkFailed("must be an https:// address without a port of its own.", "refused")
    if policy.hosts is None:
        if link.scheme != "https" and not policy.allows_private:
            raise LinkFailed("must be an https:// address.", "refused")
    elif not any(_matches(link.host, pattern) for pattern in policy.hosts):
        raise LinkFailed("is of a host that is not known.", "refused")
    return link


def _matches(host: str, pattern: str) -> bool:
    """Whether a host is the one of a pattern, or below it where it begins with `*.`."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def vetted_addresses(
    link: Link,
    policy: LinkPolicy,
    addresses: Sequence[str],
    is_public: Callable[[str], bool],
) -> list[str]:
    """Return those of a host's addresses that may be connected to; raises LinkFailed."""
    if link.is_near(policy.near):
        return list(addresses)
    reached = _is_ordinary if policy.allows_private else is_public
    found = [address for address in addresses if reached(address)]
    if not found:
        raise LinkFailed("must be the address of a public host.", "refused")
    return found


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet."""
    ip = _innermost(ipaddress.ip_address(address))
    is_global = ip.is_global and not any(ip in network for network in _NOT_GLOBAL)
    return is_global and not ip.is_multicast


def _is_ordinary(address: str) -> bool:
    """Whether an address can be that of a server: link-local ones are those of clouds' secrets."""
    ip = _innermost(ipaddress.ip_address(address))
    return not (ip.is_link_local or ip.is_multicast or ip.is_unspecified)


def _innermost(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
