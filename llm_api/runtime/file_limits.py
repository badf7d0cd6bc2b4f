"""How many connections the limit on open files (RLIMIT_NOFILE) allows.

A process without a free descriptor can neither answer, nor reach an upstream, nor write a usage
row. So it accepts only as many connections as it can serve.
"""

import resource

_FOR_EACH = 2  # the client's, and the one to the upstream
_RESERVE = 40  # libraries, stores, the spool, DNS look-ups
# As many streams as a busy worker has at once: of 200, every third had to connect again for 128.
MAX_IDLE = 512
_IDLE_SHARE = 4  # idle connections may take a quarter of the descriptors, of all pools together


def connections_within_limit(wanted: int, pools: int = 0) -> int:
    """Return how many clients may be connected at once, from 1 to `wanted`.

    Beside each client's connection, and the one to its upstream, as many idle ones are open as
    `idle_within_limit` lets that many `pools` keep. A soft limit that is too low is raised, to the
    hard limit at most.
    """
    idle = pools * MAX_IDLE
    needed = max(wanted * _FOR_EACH + idle, idle * _IDLE_SHARE) + _RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    idle = pools * idle_within_limit(pools)
    return max(1, min(wanted, (soft - _RESERVE - idle) // _FOR_EACH))


def idle_within_limit(pools: int) -> int:
    """Return how many idle connections each of so many pools may keep, from 1 to MAX_IDLE."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_IDLE
    return max(1, min(MAX_IDLE, (soft - _RESERVE) // _IDLE_SHARE // max(1, pools)))
