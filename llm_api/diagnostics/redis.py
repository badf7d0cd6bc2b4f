"""Checks of the Redis or Valkey that counts requests, and what its errors mean."""

import secrets
import time
from collections.abc import Callable

import redis
from redis.sentinel import MasterNotFoundError

from llm_api.diagnostics.results import CheckResult, fail, ok, warn
from llm_api.storage.redis.connection import failures, make_client

_TIMEOUT_S = 2.0
_SLOW_S = 0.1  # the service itself waits 0.2 s and then counts in memory
# Substrings of an error, what it means, and what the operator can do. The first match counts.
# Error prefixes: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
_EXPLANATIONS = (
    (("Cluster mode is not enabled", "cluster support disabled"), "The store is no cluster.",
     "Write RATELIMIT_STORAGE_URI as redis://host:6379/0."),
    (("MovedError",), "The store is a node of a cluster.",
     "Write RATELIMIT_STORAGE_URI as redis+cluster://host:6379,host:6379."),
    (("unknown command 'SENTINEL'", "unknown command `SENTINEL`"), "The servers are no sentinels.",
     "Name the sentinels in RATELIMIT_STORAGE_URI, whose port is most often 26379."),
    (("unknown command 'SET'", "unknown command 'PING'"), "The store is a sentinel.",
     "Write RATELIMIT_STORAGE_URI as redis+sentinel://host:26379,host:26379/service."),
    (("ClusterDownError", "SlotNotCoveredError"), "Some slots of the cluster have no primary.",
     "Look at CLUSTER INFO on a node, and start the primaries that are missing."),
    (("NOAUTH", "Authentication required"), "The store requires a password.",
     "Put it into RATELIMIT_STORAGE_URI: redis://:password@host:6379/0."),
    (("WRONGPASS", "invalid username-password", "without any password configured", "AUTH "),
     "The store refused the user or the password.",
     "Correct user and password in RATELIMIT_STORAGE_URI."),
    (("READONLY", "read only replica"), "The store is a replica, which cannot be written.",
     "Name the primary in RATELIMIT_STORAGE_URI."),
    (("OOM", "maxmemory"), "The store's memory is full.",
     "Raise its maxmemory, or give it an eviction policy such as allkeys-lru."),
    (("NOPERM", "no permissions"), "The user of the store may not write.",
     "Allow it GET, SET, INCRBY, EXPIRE and EVALSHA in the store's ACL."),
    (("MISCONF",), "The store takes no writes because it cannot save them to its disk.",
     "Make room on its disk and look into its log."),
    (("LOADING", "loading the dataset"), "The store is still loading its data.",
     "Run it again in a minute."),
    (("DB index", "invalid DB"), "The store has no database of that number.",
     "Correct the number at the end of RATELIMIT_STORAGE_URI."),
    (("Name or service", "name resolution", "nodename"),
     "The host name in RATELIMIT_STORAGE_URI could not be resolved.",
     "Correct the host in RATELIMIT_STORAGE_URI."),
    (("SSL", "TLS"), "The TLS connection to the store failed.",
     "See whether it speaks TLS (rediss://) and has a certificate that is publicly known."),
    (("closed by server", "reset by peer"), "The store hangs up.",
     "See whether it requires TLS, which is written rediss://."),
    (("refused", "No such file"), "Nothing listens where RATELIMIT_STORAGE_URI points.",
     "Start Redis or Valkey, or correct host and port in RATELIMIT_STORAGE_URI."),
    (("MasterNotFoundError",), "No sentinel that answers knows a primary of this name that is up.",
     "Correct the name behind the hosts in RATELIMIT_STORAGE_URI, or look at SENTINEL MASTERS."),
)  # fmt: skip


class LimiterChecks:
    """The checks of one server."""

    def __init__(self, url: str) -> None:
        """Check the server at `url` (see RATELIMIT_STORAGE_URI). Nothing is connected yet."""
        self._redis = make_client(url, timeout=_TIMEOUT_S, retries=0)

    def reachable(self) -> CheckResult:
        """Check that the server answers, and how fast."""
        return self._closing(self._ping)

    def _ping(self) -> CheckResult:
        try:
            self._redis.ping()
        except MasterNotFoundError:
            self._redis.ask_sentinels()  # which says why they do not answer
            raise
        seconds = min(_seconds(self._redis.ping) for _ in range(3))
        if seconds > _SLOW_S:
            return warn(
                f"The store needs {seconds * 1000:.0f} ms for an answer; the service waits 200 ms.",
                "Put it nearer to the service.",
            )
        return ok("The store answers.")

    def writable(self) -> CheckResult:
        """Check that a key can be written; it is removed again."""
        return self._closing(self._write)

    def _closing(self, check: Callable[[], CheckResult]) -> CheckResult:
        """Check, and leave no connection open whatever the outcome."""
        try:
            return _explained(check)
        finally:
            self._redis.close()

    def _write(self) -> CheckResult:
        # Several: of a cluster each node has some names.
        for _ in range(16):
            name = f"llm_api:doctor:{secrets.token_hex(8)}"
            self._redis.set(name, b"1", px=5_000)
            self._redis.delete(name)
        return ok("Counts can be written.")


def _seconds(call: Callable[[], object]) -> float:
    started_at = time.monotonic()
    call()
    return time.monotonic() - started_at


def _explained(check: Callable[[], CheckResult]) -> CheckResult:
    try:
        return check()
    except redis.TimeoutError:
        return fail(
            f"The store did not answer within {_TIMEOUT_S:g} s.",
            "See whether it hangs, stands behind a firewall, or speaks no TLS although the address"
            " says rediss://.",
        )
    except failures() as error:
        said = f"{type(error).__name__} {error}"
    for words, found, advice in _EXPLANATIONS:
        if any(word in said for word in words):
            return fail(found, advice)
    return fail(
        "The store could not be used.",
        "See whether RATELIMIT_STORAGE_URI is correct, and look into the store's log.",
    )
