"""A picture process, seen from the worker: its start, one request at a time, its end."""

import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gevent import monkey

import llm_api
from llm_api.pictures import wire
from llm_api.runtime.turns import LARGE_WORK, room_for, written_in

logger = logging.getLogger(__name__)

_ROOT = Path(llm_api.__file__).parent.parent
# -I leaves out the environment, the user's packages and the working directory: so the folder of
# this package is added, behind the installed ones.
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from {module} import main; main()"
# Nothing of the worker's environment: it has the keys of all upstreams. Without the second line
# the C library keeps up to 64 MiB of what it frees, for the next large picture.
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_ARENA_MAX": "1",
}
# What Python and gunicorn ignore or catch would stay ignored in the process.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGXFSZ)
_SECONDS_TO_END = 1.0
# No decoder ends its own process so: it crashes, or meets the limits that the process has set.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Program:
    """What a picture process runs: the `main` of a module, which finds `arguments` in `sys.argv`.

    `arguments` begin at the third place of `sys.argv`. `environment` is added to that of every
    picture process.
    """

    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


PICTURES = Program("llm_api.pictures.child.program")


class ProcessEnded(Exception):
    """The process has died, or said what no picture process says.

    `was_killed` is whether somebody else has ended it, the kernel for want of memory above all, or
    may have: then it is no fault of the picture's.
    """

    def __init__(self, *, was_killed: bool = False) -> None:
        """Create it."""
        super().__init__(was_killed)
        self.was_killed = was_killed


class ProcessStalled(Exception):
    """The process did not answer in time."""


class PictureProcess:
    """One process. It ends when its worker does: then its end of the sockets reads as ended."""

    def __init__(self, program: Program = PICTURES) -> None:
        """Start it; raises OSError where that fails."""
        self._is_killed = False
        self._exit_code: int | None = None
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                os.set_blocking(theirs.fileno(), True)  # gevent's sockets never block
                self.pid = _spawn(program, theirs.fileno())
        except OSError:
            self._socket.close()
            raise

    def ask(
        self, head: Mapping[str, Any], body: bytes, seconds: float
    ) -> tuple[Mapping[str, Any], bytes]:
        """Send a request and return the answer: its head and its body.

        Raises:
            ProcessEnded: there is no answer, and never will be.
            ProcessStalled: there is none within so many seconds.
        """
        deadline = time.monotonic() + seconds
        try:
            self._send(wire.opening(head, len(body)), deadline)
            self._send(body, deadline)
            return self._receive(deadline)
        except TimeoutError as error:
            raise ProcessStalled from error
        except (OSError, wire.WireError) as error:
            raise ProcessEnded(was_killed=self._was_killed()) from error

    def _was_killed(self) -> bool:
        """Whether a signal from outside has ended it, or somebody else knows how it has ended."""
        deadline = time.monotonic() + _SECONDS_TO_END
        while not self.is_reaped():
            if time.monotonic() > deadline:
                return False  # it lives, and talks nonsense
            time.sleep(0.01)
        return self._exit_code is None or -self._exit_code in _FROM_OUTSIDE

    def _send(self, data: bytes, deadline: float) -> None:
        for piece in LARGE_WORK.pieces(data):
            self._socket.settimeout(_remaining(deadline))
            self._socket.sendall(piece)

    def _receive(self, deadline: float) -> tuple[Mapping[str, Any], bytes]:
        packed = self._receive_bytes(wire.LENGTHS.size, deadline)
        head_bytes, body_bytes = wire.lengths(packed)
        head = wire.head_of(self._receive_bytes(head_bytes, deadline))
        return head, self._receive_bytes(body_bytes, deadline)

    def _receive_bytes(self, length: int, deadline: float) -> bytes:
        room = room_for(length)
        while length:
            if room.tell():
                LARGE_WORK.wait()
            self._socket.settimeout(_remaining(deadline))
            piece = self._socket.recv(min(length, LARGE_WORK.piece_bytes))
            if not piece:
                raise wire.WireError("The process has ended.")
            room.write(piece)
            length -= len(piece)
        return written_in(room)

    def end(self) -> None:
        """Let it end by itself: what it reads next is the end of its input."""
        self._socket.close()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self._socket.close()
        self._is_killed = True
        # Not after it was reaped: its number may be another process's then.
        if not self.is_reaped():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def is_reaped(self) -> bool:
        """Collect its exit status if it has ended; returns whether it is gone."""
        try:
            # The original: gevent's waits for children that gevent has started.
            pid, status = monkey.get_original("os", "waitpid")(self.pid, os.WNOHANG)
        except ChildProcessError:
            return True  # somebody else has collected it: gevent's loop, or gunicorn
        if pid:
            self._exit_code = os.waitstatus_to_exitcode(status)
        if pid and status and not self._is_killed:
            logger.warning("picture process ended", extra={"exit_code": self._exit_code})
        return bool(pid)


def _remaining(deadline: float) -> float:
    """Return the seconds that are left; raises TimeoutError where there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _spawn(program: Program, descriptor: int) -> int:
    """Start a program with a socket as its standard input, and return its process id.

    Not with subprocess: gevent's forks, runs Python in the copy of a worker that has threads, and
    breaks the original. The program closes every other descriptor itself.
    """
    spawn = monkey.get_original("os", "posix_spawn")
    code = _PROGRAM.format(module=program.module)
    pid: int = spawn(
        sys.executable,
        [sys.executable, "-I", "-c", code, str(_ROOT), *program.arguments],
        {**_ENVIRONMENT, **program.environment},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, descriptor, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
        # Ctrl-C is for the service, whose end is then the process's.
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT_SIGNALS,
    )
    return pid
