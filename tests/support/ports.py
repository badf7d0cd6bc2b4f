"""Loopback ports: one to listen on, and one where nobody does."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Find a TCP port that a server may bind within the next minute.

    The port is left in TIME_WAIT: the kernel then gives it to nobody who asks for any port, while
    a server that names it and sets SO_REUSEADDR gets it. Parallel tests cannot collide.
    """
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        # The side that closes first keeps TIME_WAIT, and it must be the one with this port.
        listener.accept()[0].close()
        return int(listener.getsockname()[1])


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port where connections are refused: bound, so that nobody takes it, but silent."""
    with socket.socket() as reserved:
        reserved.bind((LOOPBACK, 0))
        yield int(reserved.getsockname()[1])
