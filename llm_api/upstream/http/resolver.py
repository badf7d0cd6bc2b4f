"""Looks up host names without waiting longer than a call can.

`getaddrinfo` knows no time-out: a name server that is silent holds it for ten seconds and more. So
it runs in a thread of its own (under gevent a greenlet, and a thread of the hub's pool), one for a
name at a time: however many calls wait for the same name, they take one thread.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

Address = tuple[Any, ...]


class _Lookup:
    """A look-up in progress, which any number of calls wait for."""

    def __init__(self) -> None:
        self._has_ended = threading.Event()
        self._addresses: list[Address] = []
        self._error: OSError | None = None

    def end(self, addresses: list[Address], error: OSError | None = None) -> None:
        """Give the result to all that wait."""
        self._addresses, self._error = addresses, error
        self._has_ended.set()

    def wait(self, timeout: float) -> list[Address]:
        """Return the addresses; raises socket.gaierror, also after `timeout` seconds."""
        if not self._has_ended.wait(timeout):
            raise socket.gaierror(socket.EAI_AGAIN, "the name server is silent")
        if self._error is not None:
            raise socket.gaierror(self._error.errno, "the name is not known") from self._error
        return self._addresses


class Resolver:
    """Turns a host name into addresses."""

    def __init__(self, look_up: Callable[..., Sequence[Any]] | None = None) -> None:
        """Create a resolver; `look_up` replaces `socket.getaddrinfo`."""
        self._look_up = look_up
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], _Lookup] = {}

    def addresses(self, host: str, port: int, timeout: float) -> list[Address]:
        """Return the addresses to connect to, best first; raises socket.gaierror.

        It is also raised after `timeout` seconds; the look-up goes on for those who come later.
        """
        host = host.strip("[]")
        if _is_address(host):
            return [(host, port)]
        return self._lookup(host, port).wait(timeout)

    def _lookup(self, host: str, port: int) -> _Lookup:
        with self._lock:
            lookup = self._running.get((host, port))
            if lookup is None:
                lookup = self._running[host, port] = _Lookup()
                threading.Thread(
                    target=self._run, args=(lookup, host, port), name="look-up", daemon=True
                ).start()
        return lookup

    def _run(self, lookup: _Lookup, host: str, port: int) -> None:
        look_up = self._look_up or socket.getaddrinfo
        addresses: list[Address] = []
        failure: OSError | None = OSError("the look-up was given up")
        try:
            found = look_up(host, port, type=socket.SOCK_STREAM)
            addresses, failure = [entry[4] for entry in found], None
        except (OSError, UnicodeError) as error:
            # A label of a name can be too long for IDNA, which is a UnicodeError.
            failure = error if isinstance(error, OSError) else OSError(str(error))
        finally:
            with self._lock:
                del self._running[host, port]
            lookup.end(addresses, failure)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
