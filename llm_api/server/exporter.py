"""Starts the process that serves metrics at an address of their own, and starts it again.

A process of its own, so that a busy worker delays no scrape, and a scrape no call. It ends with its
standard input: so it is gone when its parent is, however that ended.
"""

import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

from llm_api.runtime.periodic_thread import PeriodicThread

logger = logging.getLogger(__name__)
_PROJECT_ROOT = Path(__file__).resolve().parents[2]
_PAUSE_S = 1.0
_BACKLOG = 64


class MetricsExporter:
    """The child process, kept alive until `stop`."""

    def __init__(self, bind: str, folder: Path) -> None:
        """Listen on `bind`, host:port; raises OSError. `folder` is where workers count."""
        self._socket = _listening(bind)
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._supervisor = PeriodicThread("metrics-exporter", 0, self._restart_when_ended)

    def start(self) -> None:
        """Start the child and its supervision."""
        self._spawn()
        self._supervisor.start()

    def _spawn(self) -> None:
        descriptor = self._socket.fileno()
        self._child = subprocess.Popen(  # noqa: S603  # our own module, with arguments of our own
            [
                *(sys.executable, "-m", "llm_api.server.exporter_child"),
                *(str(descriptor), str(self._folder)),
            ],
            stdin=subprocess.PIPE,
            cwd=_PROJECT_ROOT,
            pass_fds=[descriptor],
            # Ctrl-C is for the service, which then ends the child in order.
            start_new_session=True,
        )

    def _restart_when_ended(self) -> None:
        """Wait for the end of the child, and start it again after a pause."""
        if self._child is None:
            return
        # gunicorn's master may collect the exit status first; wait() then answers 0.
        self._child.wait()
        if self._supervisor.is_closing:
            return
        _close_pipe(self._child)
        logger.warning("the exporter of metrics ended; starting it again")
        self._supervisor.pause(_PAUSE_S)
        if not self._supervisor.is_closing:
            self._spawn()

    def stop(self) -> None:
        """End the child, and wait for it."""
        self._supervisor.close(timeout=0)  # it waits for the child
        if self._child is not None:
            self._child.kill()  # it has nothing to finish
            self._child.wait()
            _close_pipe(self._child)
        self._socket.close()


def _close_pipe(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()


def _listening(bind: str) -> socket.socket:
    """Return a socket that listens; the child inherits it, also when it is started again."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A new master (SIGUSR2) listens before the old one has ended.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host.strip("[]"), int(port)))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    os.set_inheritable(listening.fileno(), False)  # noqa: FBT003  # positional only
    return listening
