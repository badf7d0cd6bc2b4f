"""Where a request came from."""

import ipaddress
from functools import lru_cache

from flask import request


def client_address() -> str:
    """Return the address of the client; of IPv6 the /64 network, of which each has a whole one."""
    address = request.remote_addr or "local"  # a Unix socket has no addresses
    return _network(address) if ":" in address else address


@lru_cache(maxsize=4_096)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed.packed[:8] + bytes(8), 64)))
