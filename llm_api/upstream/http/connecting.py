"""Connects to an upstream within one deadline: looking up its name, TCP and TLS together."""

import socket
from contextlib import suppress
from typing import Any, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from llm_api.runtime.deadlines import Deadline, DeadlineWatcher
from llm_api.upstream import faults
from llm_api.upstream.http.resolver import Resolver


class _Bounded(HTTPConnection):
    """A connection whose name is looked up by a Resolver, and whose handshake can be ended.

    `_new_conn` is where urllib3's own kinds of connections (SOCKS, for one) take over.
    """

    resolver: Resolver
    connecting: Deadline | None = None
    _second: socket.socket | None = None

    def begin(self, connecting: Deadline, timeout: float) -> None:
        """Bound the connecting that follows, to `timeout` seconds."""
        self.connecting = connecting
        self.timeout = max(timeout, 0.001)

    def _new_conn(self) -> socket.socket:
        assert self.connecting is not None, "made by Connector.connect only"  # noqa: S101
        deadline = self.connecting
        addresses = self.resolver.addresses(self.host, self.port or 80, deadline.remaining)
        connected = self._first_that_answers(addresses, deadline)
        # ssl takes the socket away; a second one on the same connection stays to be shut.
        self._second = connected.dup()
        deadline.watch_socket(self._second)
        return connected

    def _first_that_answers(
        self, addresses: list[tuple[Any, ...]], deadline: Deadline
    ) -> socket.socket:
        for left in range(len(addresses), 0, -1):
            address = addresses[len(addresses) - left]
            timeout = max(deadline.remaining / left, 0.001)
            try:
                return create_connection(address[:2], timeout, socket_options=self.socket_options)
            except OSError:
                if left == 1:
                    raise
        raise socket.gaierror(socket.EAI_NONAME, "the name has no address")

    def forget_handshake(self) -> None:
        """Let go of what was needed to end the handshake."""
        if self._second is not None:
            with suppress(OSError):
                self._second.close()
        self._second = self.connecting = None


class _BoundedTls(_Bounded, HTTPSConnection):
    """The same with TLS."""


def connection_class(scheme: str, resolver: Resolver) -> type[HTTPConnection]:
    """Return the class for the connections of a pool, its `ConnectionCls`.

    Args:
        scheme: `http` or `https`.
        resolver: looks up their names.
    """
    kind = _BoundedTls if scheme == "https" else _Bounded
    return type(kind.__name__, (kind,), {"resolver": resolver})


class Connector:
    """Opens connections of the bounded kind."""

    def __init__(self, watch: DeadlineWatcher) -> None:
        """Have `watch` end connecting from outside."""
        self._watch = watch

    def connect(self, connection: HTTPConnection, timeout: float) -> None:
        """Connect a bounded `connection` within `timeout` seconds; raises faults.Fault."""
        bounded = cast("_Bounded", connection)
        connecting = Deadline(
            total=timeout, must_end=self._watch.drain.is_expired, how=socket.SHUT_RDWR
        )
        bounded.begin(connecting, timeout)
        self._watch.add(connecting)
        try:
            connection.connect()
            if connecting.is_expired:  # of a socket that was shut, ssl leaves out the handshake
                connection.close()
                raise faults.while_connecting(TimeoutError())
        except (OSError, RuntimeError, urllib3.exceptions.HTTPError) as error:
            if connecting.is_expired and not isinstance(error, socket.gaierror):
                raise faults.while_connecting(TimeoutError()) from error
            raise faults.while_connecting(error) from error
        finally:
            self._watch.remove(connecting)
            bounded.forget_handshake()
