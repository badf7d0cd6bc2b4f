"""Subprocesses that end with the test, and the process table to look at them."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

_PROC = Path("/proc")
_KILL_TIMEOUT = 5.0


@dataclass(frozen=True)
class Process:
    """One living process; zombies are left out of every list."""

    pid: int
    parent: int
    group: int


class Child:
    """A subprocess that leads a process group of its own and writes its output to a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path,
        user: int | None = None,
    ) -> None:
        """Start the command; ``user`` is the uid and gid it runs under, for a root that steps down.

        The log is appended to, so a restart keeps what the first run said.
        """
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                **_identity(user),
            )
        self.pid = self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What the process ended with, negative for a signal; None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone; one that has ended is left in peace."""
        self._process.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit code; subprocess.TimeoutExpired is raised."""
        return self._process.wait(timeout)

    def freeze(self) -> None:
        """Stop the process and its children from running: connected, accepting and silent."""
        self._signal_family(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process and its children run again."""
        self._signal_family(signal.SIGCONT)

    def end(self, number: signal.Signals, timeout: float) -> None:
        """Ask with a signal, then kill whatever is left of the process group."""
        if self.exit_code is None:
            self.thaw()
            self.send(number)
            with suppress(subprocess.TimeoutExpired):
                self.wait(timeout)
        self._kill_group()

    def _signal_family(self, number: signal.Signals) -> None:
        for pid in [self.pid, *(child.pid for child in children_of(self.pid))]:
            # A child may end between the look and the signal.
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _kill_group(self) -> None:
        for member in process_table():
            if member.group == self.pid:
                with suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)
        self._process.wait(_KILL_TIMEOUT)


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _identity(user: int | None) -> _Identity:
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def children_of(pid: int) -> list[Process]:
    """List the direct children of a process."""
    return [process for process in process_table() if process.parent == pid]


def process_table() -> list[Process]:
    """List every living process, from /proc or else from ps."""
    if not (_PROC / "self" / "stat").exists():
        return _ps_table()
    found = []
    for folder in _PROC.iterdir():
        # A process may end between the listing and the look.
        with suppress(FileNotFoundError, ProcessLookupError):
            if folder.name.isdecimal():
                found += _parse(folder.name, *_stat_fields(folder))
    return found


def _stat_fields(folder: Path) -> list[str]:
    """Return state, parent and group: what follows the name, which may itself contain anything."""
    stat = (folder / "stat").read_text(errors="replace")
    return stat.rpartition(")")[2].split()[:3]


def _ps_table() -> list[Process]:
    command = ["ps", "-axo", "pid=,stat=,ppid=,pgid="]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [process for line in listing.splitlines() for process in _parse(*line.split())]


def _parse(pid: str, state: str, parent: str, group: str) -> list[Process]:
    return [] if state.startswith("Z") else [Process(int(pid), int(parent), int(group))]
