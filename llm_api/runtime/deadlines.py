"""Ends waits on sockets from outside: at a deadline, when a client is gone, when the process ends.

A socket time-out counts from one read to the next, so a peer that sends a byte at a time never
meets it; and a view that waits for an upstream cannot see its own client leave. One thread (a
greenlet under gevent) checks all waits four times a second and shuts the socket of those that must
end, which wakes their readers.
"""

import _socket
import contextlib
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llm_api.domain.calls import never
from llm_api.runtime.drain import Drain
from llm_api.runtime.periodic_thread import PeriodicThread

INTERVAL = 0.25
_LINGER_S = 2.0
_PIECE_BYTES = 65_536
_ESTABLISHED = 1  # of Linux's tcp_info, include/net/tcp_states.h
logger = logging.getLogger(__name__)


class Deadline:
    """A wait on a socket, and what ends it; `check` sets the flags that say why it ended."""

    def __init__(
        self,
        *,
        total: float,
        is_disconnected: Callable[[], bool] = never,
        must_end: Callable[[], bool] = never,
        how: int = socket.SHUT_RD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the time now.

        Args:
            total: seconds until the deadline.
            is_disconnected: whether the client has closed its connection.
            must_end: whether the process ends and can wait no longer.
            how: the sides of the socket that are shut then, as `socket.shutdown` has it.
            clock: monotonic time in seconds.
        """
        self.clock = clock
        self.deadline = clock() + total
        self.is_expired = False
        self.is_client_gone = False
        self.is_shut_down = False
        self._is_disconnected = is_disconnected
        self._must_end = must_end
        self._how = how
        self._socket: socket.socket | None = None

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - self.clock())

    def watch_socket(self, awaited: socket.socket | None) -> None:
        """Set the socket that is shut when the wait must end; None while there is none."""
        self._socket = awaited

    def check(self) -> None:
        """Shut the socket if the wait must end."""
        self.is_expired = self.is_expired or not self.remaining
        self.is_client_gone = self.is_client_gone or self._is_disconnected()
        self.is_shut_down = self.is_shut_down or self._must_end()
        must_end = self.is_expired or self.is_client_gone or self.is_shut_down
        if must_end and self._socket is not None:
            shut_down(self._socket, self._how)


@contextmanager
def _bare(awaited: socket.socket) -> Iterator[_socket.socket]:
    """Yield the C socket on the same descriptor, past what ssl and gevent put around it.

    Both would act on their own state instead of the kernel's (see `shut_down` and `peek`), and
    neither offers a way around it. `detach` keeps the descriptor open for its owner.
    """
    bare = _socket.socket(awaited.family, awaited.type, fileno=awaited.fileno())
    try:
        yield bare
    finally:
        bare.detach()


def shut_down(awaited: socket.socket, how: int) -> None:
    """Shut one side of a socket or both, so that its readers and writers return at once.

    ssl's own shutdown discards the TLS state while another thread reads, and gevent's ends every
    wait with EBADF, which gunicorn takes for an error of its own. The kernel's is no more than the
    end of the connection.

    Args:
        awaited: the socket; nothing happens where it is closed already.
        how: socket.SHUT_RD, SHUT_WR or SHUT_RDWR.
    """
    # A descriptor below 0, a ValueError, belongs to a socket that is closed already.
    with contextlib.suppress(OSError, ValueError), _bare(awaited) as bare:
        bare.shutdown(how)


def lingering_close(client: socket.socket) -> None:
    """End a connection whose peer may still be sending, so that it can read the last response.

    A close with unread bytes makes the kernel send RST (RFC 9112, section 9.6), and the peer would
    lose the response that tells it why. So we say that nothing more comes, and discard what arrives
    for two seconds at most.
    """
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        _discard_rest(client)
    shut_down(client, socket.SHUT_RD)


def _discard_rest(client: socket.socket) -> None:
    ends_at = time.monotonic() + _LINGER_S
    while (left := ends_at - time.monotonic()) > 0:
        client.settimeout(left)
        if not client.recv(_PIECE_BYTES):
            return
    # It goes on sending: let the close be an RST, or it would wait for a window that never opens.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def peek(awaited: socket.socket) -> bytes | None:
    """Return the next byte of a socket, which stays there; never waits.

    None where there is nothing to read, and b"" where the peer has closed its side or is gone.
    """
    if awaited.fileno() < 0:
        return b""
    try:
        # recv of gevent's would wait for the peer.
        with _bare(awaited) as bare:
            return bare.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def is_disconnected(client: socket.socket) -> bool:
    """Whether a peer has closed its side, even where unread bytes lie before the end."""
    try:
        # Neither ssl nor gevent changes what this asks, so that no bare socket is needed: that
        # costs the kernel four questions, for each of all clients four times a second.
        state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except (AttributeError, OSError, ValueError):  # no Linux, no TCP, or no longer open
        return peek(client) == b""
    return state != _ESTABLISHED


class DeadlineWatcher:
    """Checks all deadlines of a process, in a thread that starts with the first of them."""

    def __init__(self, drain: Drain | None = None) -> None:
        """Watch nothing yet; `drain` says when the process ends, None: never."""
        self.drain = Drain() if drain is None else drain
        self._deadlines: set[Deadline] = set()
        self._thread = PeriodicThread("deadlines", INTERVAL, self._check_all)

    @property
    def watched(self) -> int:
        """How many deadlines are watched: what the process waits for now."""
        return len(self._deadlines)

    def add(self, deadline: Deadline) -> None:
        """Check a deadline from now on."""
        self._deadlines.add(deadline)
        if not self._thread.is_started:
            self._thread.start()

    def remove(self, deadline: Deadline) -> None:
        """Check a deadline no more."""
        self._deadlines.discard(deadline)

    def close(self) -> None:
        """End the thread."""
        self._thread.close()

    def _check_all(self) -> None:
        for deadline in list(self._deadlines):
            try:
                deadline.check()
            except Exception:
                # Whatever the check of one call raises, the others are guarded by this thread, too.
                logger.exception("deadline could not be checked")
                self.remove(deadline)
