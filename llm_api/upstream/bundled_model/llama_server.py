"""Starts and supervises llama.cpp's server with a model, as one child process for all workers.

It listens on loopback, with a random key. It is a process of its own because it cannot be forked
after loading, and because a crash of native code must not end a worker. It ends with its standard
input: so it is gone when its parent is, however that ended.
"""

import http.client
import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from llm_api.runtime.installation import PACKAGES
from llm_api.runtime.periodic_thread import PeriodicThread

logger = logging.getLogger(__name__)

KEY_VARIABLE = "LLAMA_API_KEY"
LOOPBACK = "127.0.0.1"
UNFIT = b"unfit"  # what a child says on its standard output that must not be started again
_MIN_PAUSE_S = 0.5
_MAX_PAUSE_S = 30.0
_POLL_S = 0.05
_STEADY_S = 60.0  # a child that ran for so long has not failed at its start


class LlamaServer:
    """The child process, kept alive until `stop`."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        port: int | None = None,
        key: str | None = None,
    ) -> None:
        """Reserve the port; `start` starts the child.

        Args:
            name: what the log calls it.
            arguments: those of `llama_child`, without `--port`.
            port: where the child listens on loopback; None takes a free one.
            key: the API key that the child asks for; None makes a random one.

        Raises:
            OSError: the port is in use.
        """
        self._name = name
        self._arguments = arguments
        self._reserved = _reserved_port(port)
        self.port: int = self._reserved.getsockname()[1]
        self.key = key or secrets.token_urlsafe(32)
        self._child: subprocess.Popen[bytes] | None = None
        self._restart_pause = _MIN_PAUSE_S
        self._changing = threading.Lock()
        self._supervisor = PeriodicThread(name.replace(" ", "-"), 0, self._restart_when_ended)

    @property
    def url(self) -> str:
        """The base address, up to `/v1`."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the child and its supervision; a small model answers about a second later."""
        self._spawn()
        self._supervisor.start()

    def is_ready_within(self, timeout: float) -> bool:
        """Wait for the child to have loaded its model, for `timeout` seconds; return whether."""
        ends_at = time.monotonic() + timeout
        while not self._is_ready():
            if time.monotonic() > ends_at:
                return False
            time.sleep(_POLL_S)
        return True

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=1)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def hand_over(self) -> None:
        """Have the child outlive this program: it ends with the process, whatever runs there."""
        if self._child is not None and self._child.stdin is not None:
            os.set_inheritable(self._child.stdin.fileno(), True)  # noqa: FBT003  # positional only

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "llm_api.upstream.bundled_model.llama_child"]
        self._child = subprocess.Popen(  # noqa: S603  # our own module, with arguments of our own
            [*command, "--port", str(self.port), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PACKAGES,
            # The key goes through the environment: arguments can be read by every user.
            env={**os.environ, KEY_VARIABLE: self.key},
            # Ctrl-C is for the service, which then ends the child in order.
            start_new_session=True,
        )

    def _restart_when_ended(self) -> None:
        """Wait for the end of the child, and start it again after a pause."""
        if self._child is None:
            return
        started_at = time.monotonic()
        said = self._child.stdout.read() if self._child.stdout is not None else b""
        # gunicorn's master may collect the exit status first; wait() then answers 0.
        self._child.wait()
        if self._supervisor.is_closing:
            return
        _close_pipes(self._child)
        if said.strip() == UNFIT:
            logger.error("not started again, since it would fail again", extra={"what": self._name})
            self._supervisor.close(timeout=0)
            return
        if time.monotonic() - started_at > _STEADY_S:
            self._restart_pause = _MIN_PAUSE_S
        logger.warning(
            "%s ended; starting it again", self._name, extra={"pause_s": self._restart_pause}
        )
        self._supervisor.pause(self._restart_pause)
        self._restart_pause = min(self._restart_pause * 2, _MAX_PAUSE_S)
        with self._changing:
            if not self._supervisor.is_closing:
                self._spawn()

    def stop(self) -> None:
        """End the child, and wait for it."""
        with self._changing:
            self._supervisor.close(timeout=0)  # it waits for the child
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(timeout=3)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            _close_pipes(self._child)
        self._reserved.close()


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def _reserved_port(port: int | None) -> socket.socket:
    """Bind a port without listening, so that no other process gets it while the child is down.

    The child binds it too, through SO_REUSEPORT; the kernel connects clients to listeners only.
    """
    if port is not None:
        # Without SO_REUSEPORT, which would share it with another model of this user.
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):  # the latter for a port just left
        reserved.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        reserved.bind((LOOPBACK, port or 0))
    except OSError:
        reserved.close()
        raise
    return reserved
