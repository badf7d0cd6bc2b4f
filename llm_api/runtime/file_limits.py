"""How many connections the limit on open files (RLIMIT_NOFILE) allows.

A process without a free descriptor can neither answer, nor reach an upstream, nor write a usage
row. So it accepts only as many connections as it can serve.
"""

import resource

_FOR_EACH = 2  # the client's, and the one to the upstream
_RESERVE = 40  # libraries, stores, the spool, DNS look-ups


def connections_within_limit(wanted: int) -> int:
    """Return how many connections may be open at once, from 1 to `wanted`.

    A soft limit that is too low is raised, to the hard limit at most.
    """
    needed = wanted * _FOR_EACH + _RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, (soft - _RESERVE) // _FOR_EACH))
