"""Ends waiting from outside: when a time is over, a client has left, or the process ends.

A socket time-out counts from one read to the next, so a peer that dribbles a byte at a time never
meets it; and a view that waits for an upstream cannot see its own client leave. One thread (a
greenlet under gevent) looks at everything that waits four times a second and shuts the socket of
what is to end, which wakes whoever reads from it.
"""

import _socket
import contextlib
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llm_api.domain.calls import never
from llm_api.runtime.drain import Drain

INTERVAL = 0.25
_LINGER_S = 2.0
_PIECE_BYTES = 65_536
_ESTABLISHED = 1  # of Linux's tcp_info, include/net/tcp_states.h
logger = logging.getLogger(__name__)


class Deadline:
    """Something that waits on a socket, and until when."""

    def __init__(
        self,
        *,
        total: float,
        is_abandoned: Callable[[], bool] = never,
        must_end: Callable[[], bool] = never,
        how: int = socket.SHUT_RD,
    ) -> None:
        """Give it `total` seconds from now; `how` says which sides of the socket are shut then.

        `must_end` tells whether the process ends and can wait no longer.
        """
        self.deadline = time.monotonic() + total
        self.is_over_time = False
        self.is_client_gone = False
        self.is_shut_down = False
        self._is_abandoned = is_abandoned
        self._must_end = must_end
        self._how = how
        self._socket: socket.socket | None = None

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, not below 0."""
        return max(0.0, self.deadline - time.monotonic())

    def waits_on(self, awaited: socket.socket | None) -> None:
        """Name the socket that is to be shut when the waiting must end."""
        self._socket = awaited

    def check(self) -> None:
        """Look whether the waiting must end, and shut the socket if so."""
        self.is_over_time = self.is_over_time or not self.remaining
        self.is_client_gone = self.is_client_gone or self._is_abandoned()
        self.is_shut_down = self.is_shut_down or self._must_end()
        is_to_end = self.is_over_time or self.is_client_gone or self.is_shut_down
        if is_to_end and self._socket is not None:
            shut(self._socket, self._how)


@contextmanager
def _bare(awaited: socket.socket) -> Iterator[_socket.socket]:
    """Lend the C socket on the same descriptor, past what ssl and gevent put around it."""
    bare = _socket.socket(awaited.family, awaited.type, fileno=awaited.fileno())
    try:
        yield bare
    finally:
        bare.detach()


def shut(awaited: socket.socket, how: int) -> None:
    """Shut one side of a socket or both, so that who waits there returns at once.

    ssl's shutdown forgets the TLS state under the feet of whoever is reading, and gevent's ends
    every wait with EBADF, which gunicorn takes for an error of its own. The kernel's is no more
    than the end of the connection.
    """
    # A descriptor below 0, a ValueError, belongs to a socket that is closed already.
    with contextlib.suppress(OSError, ValueError), _bare(awaited) as bare:
        bare.shutdown(how)


def hang_up(client: socket.socket) -> None:
    """End a connection whose peer may go on sending, so that it can read what was said last.

    A close with unread bytes makes the kernel send RST, and the peer would lose the answer that
    tells it why. So say that nothing more comes, and take what is on its way for a moment.
    """
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        _take_rest(client)
    shut(client, socket.SHUT_RD)


def _take_rest(client: socket.socket) -> None:
    ends_at = time.monotonic() + _LINGER_S
    while (left := ends_at - time.monotonic()) > 0:
        client.settimeout(left)
        if not client.recv(_PIECE_BYTES):
            return
    # It goes on sending: let the close be an RST, or it would wait for a window that never opens.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def peek(awaited: socket.socket) -> bytes | None:
    """Look, without waiting and without taking, whether a socket has something to read.

    Returns None where it has nothing, and b"" where the peer has closed its side or is gone.
    """
    if awaited.fileno() < 0:
        return b""
    try:
        # recv on gevent's would wait for the peer to speak.
        with _bare(awaited) as bare:
            return bare.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def has_hung_up(client: socket.socket) -> bool:
    """Tell whether a peer has closed its side, also where bytes of it lie unread before the end."""
    try:
        with _bare(client) as bare:
            state = bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except (AttributeError, OSError, ValueError):  # no Linux, no TCP, or no longer open
        return peek(client) == b""
    return state != _ESTABLISHED


class DeadlineWatcher:
    """Looks after everything that waits in a process; `drain` tells when the process ends."""

    def __init__(self, drain: Drain | None = None) -> None:
        """Start nothing yet: the thread must belong to the worker, not to its parent process."""
        self.drain = Drain() if drain is None else drain
        self._watched: set[Deadline] = set()
        self._is_needed = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, watched: Deadline) -> None:
        """Begin to look after it."""
        self._watched.add(watched)
        if self._thread is None:
            self._start_thread()
        self._is_needed.set()

    def remove(self, watched: Deadline) -> None:
        """Stop looking after it."""
        self._watched.discard(watched)

    def _start_thread(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._is_needed.wait()
            time.sleep(INTERVAL)
            for watched in list(self._watched):
                try:
                    watched.check()
                except Exception:  # whatever it is: the next line says why
                    # The thread guards every other call: it must outlive whatever one of them does.
                    logger.exception("watch could not check a call")
                    self.remove(watched)
            if not self._watched:
                self._is_needed.clear()
                # What came in between the look and the clear must not be forgotten.
                if self._watched:
                    self._is_needed.set()
