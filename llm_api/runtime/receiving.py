"""Receives from a socket that may be silent for long, and notices its silences."""

import math
import socket
import time
from typing import Any, Protocol

import gevent
import gevent.socket


class Receiver(Protocol):
    """Receives from one socket, always in the same greenlet or thread."""

    def recv(self, size: int, /) -> bytes:
        """Wait for bytes and return them; b"" at the end of the connection.

        Raises TimeoutError after a silence, and OSError.
        """

    def bound_silence(self, seconds: float) -> None:
        """Notice a silence of so many seconds, in the waits that begin from now on."""

    def close(self) -> None:
        """Look at the clock no more; the socket stays as it is."""


def receiver_of(peer: Any, seconds: float) -> Receiver:
    """Return a receiver that notices a silence of so many seconds.

    `peer` is a socket of any kind, or what looks like one.
    """
    # Under TLS what has come may lie in the library already, where no loop sees it.
    if type(peer) is gevent.socket.socket:
        return _LoopReceiver(peer, seconds)
    return _Receiver(peer, seconds)


class _Receiver:
    """Leaves waiting to the socket."""

    def __init__(self, peer: socket.socket, seconds: float) -> None:
        self._peer = peer
        self.recv = peer.recv
        peer.settimeout(seconds)

    def bound_silence(self, seconds: float) -> None:
        """Set the time-out of the socket."""
        self._peer.settimeout(seconds)

    def close(self) -> None:
        """Do nothing: the socket has the clock."""


class _LoopReceiver:
    """Waits in gevent's loop, with one timer for all waits.

    gevent's `recv` makes a timer, an exception and half a dozen calls for each wait, which were a
    sixth of what an event of a stream cost; and it asks the socket first, which has nothing yet.
    """

    def __init__(self, peer: socket.socket, seconds: float) -> None:
        peer.settimeout(None)
        self._recv = peer.recv
        self._loop = gevent.get_hub()
        self._readable = self._loop.loop.io(peer.fileno(), 1)
        self._greenlet = gevent.getcurrent()
        self._is_drained = False
        self._waits_since = math.inf
        self._timer: Any = None
        self.bound_silence(seconds)

    def recv(self, size: int, /) -> bytes:
        """Wait for bytes and return them; see Receiver."""
        self._greenlet = gevent.getcurrent()
        self._waits_since = time.monotonic()
        try:
            if self._is_drained:
                self._loop.wait(self._readable)
            data: bytes = self._recv(size)
        finally:
            self._waits_since = math.inf
        self._is_drained = len(data) < size
        return data

    def bound_silence(self, seconds: float) -> None:
        """Start the timer anew."""
        self._seconds = seconds
        self._look_after(seconds)

    def _look_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._loop.loop.timer(seconds)
        self._timer.start(self._look)

    def _look(self) -> None:
        """End the wait if it has been long enough; else look again when it will be."""
        waited = max(time.monotonic() - self._waits_since, 0.0)
        if waited < self._seconds:
            self._look_after(self._seconds - waited)
            return
        self._look_after(self._seconds)
        self._greenlet.throw(TimeoutError())

    def close(self) -> None:
        """Stop the timer, and forget the socket."""
        self._stop_timer()
        self._readable.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
