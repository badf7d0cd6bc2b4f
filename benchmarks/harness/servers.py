"""Starting a server, waiting until it answers, and ending it with all its processes."""

import contextlib
import dataclasses
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

READY_PATH = "/healthz"
READY_TIMEOUT = 30.0
READY_PAUSE = 0.01
STOP_TIMEOUT = 5.0
LOG_TAIL_BYTES = 4000


class BenchmarkError(Exception):
    """The run cannot go on; the message is for the person who started it."""

    def __init__(self, reason: str, log: Path) -> None:
        """Say why, and show the end of the log of the server that it happened to."""
        self.reason = reason
        super().__init__(f"{reason}\n\nThe end of the log:\n{log_tail(log)}")


@dataclasses.dataclass(frozen=True)
class Program:
    """A command that serves HTTP on a port of 127.0.0.1 and stays in the foreground.

    What a peer cannot do is part of the report; where any other program fails, the run does.
    """

    name: str
    command: Sequence[str]
    port: int
    directory: Path
    environment: Mapping[str, str]
    log: Path
    ready_path: str = READY_PATH
    ready_timeout: float = READY_TIMEOUT
    is_peer: bool = False


@dataclasses.dataclass(frozen=True)
class Server:
    """A running program; `pid` is the root of its process tree."""

    name: str
    pid: int
    port: int
    log: Path
    is_peer: bool = False


def free_ports(count: int) -> list[int]:
    """Return `count` different ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for reserved in sockets:
            reserved.bind(("127.0.0.1", 0))
        return [int(reserved.getsockname()[1]) for reserved in sockets]


def log_tail(log: Path) -> str:
    """Return the last lines of a log, or a word for their absence."""
    if not log.exists():
        return "(no log)"
    tail = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
    return tail or "(the log is empty)"


@contextlib.contextmanager
def running(program: Program) -> Iterator[Server]:
    """Run a program until the block ends; it answers 200 on its ready path when the block starts.

    Raises BenchmarkError if it ends or does not answer in time.
    """
    with program.log.open("ab") as log:
        process = subprocess.Popen(
            program.command,
            cwd=program.directory,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Its own process group, so that `stop` reaches every process it has started.
            start_new_session=True,
        )
    try:
        wait_until_ready(program, process)
        yield Server(program.name, process.pid, program.port, program.log, program.is_peer)
    finally:
        stop(process)


def wait_until_ready(program: Program, process: subprocess.Popen[bytes]) -> None:
    """Return once the program answers 200 on its ready path."""
    give_up_at = time.monotonic() + program.ready_timeout
    while not is_ready(program.port, program.ready_path):
        if process.poll() is not None:
            reason = f"{program.name} ended with status {process.returncode} while starting"
            raise BenchmarkError(reason, program.log)
        if time.monotonic() > give_up_at:
            what = f"did not answer 200 on {program.ready_path} in {program.ready_timeout:.0f} s"
            raise BenchmarkError(f"{program.name} {what}", program.log)
        time.sleep(READY_PAUSE)


def is_ready(port: int, path: str = READY_PATH) -> bool:
    """Return whether the server on a port answers 200 on a path."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_TIMEOUT / 10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program politely, and whatever is left of its process group at once."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
