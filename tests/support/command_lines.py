"""Runs `llm-api` as people do: in this process, as a program, and on a terminal of its own."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from click.testing import CliRunner
from flask import Flask

from llm_api.cli.commands import PROGRAM
from llm_api.cli.program import Program
from llm_api.settings.settings import Settings
from tests.support.commands import Ran
from tests.support.service import REPOSITORY_ROOT

COMMAND = [sys.executable, "-m", "llm_api"]
_PATIENCE_S = 60.0


def llm_api(env: Mapping[str, str], *arguments: str, text: str | bytes | None = None) -> Ran:
    """Run a command that asks a service elsewhere; it must not build the application."""
    program = Program(_no_application)
    result = CliRunner().invoke(program, arguments, prog_name=PROGRAM, env=dict(env), input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return Ran(result.stdout, result.stderr, result.exit_code)


def run_program(env: Mapping[str, str], *arguments: str, text: str = "") -> Ran:
    """Run the program as a process, with what is piped in."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=REPOSITORY_ROOT,
        env={"PATH": os.environ["PATH"], **env},
        input=text,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    return Ran(done.stdout, done.stderr, done.returncode)


def printed_by(code: str) -> str:
    """Run Python code in a process of its own, without settings, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY_ROOT,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


class Terminal:
    """A program on a pseudo-terminal, whose output is read as it comes."""

    def __init__(self, env: Mapping[str, str], *arguments: str) -> None:
        """Start `llm-api`."""
        self.shown = ""
        self._own, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=REPOSITORY_ROOT,
            env={"PATH": os.environ["PATH"], "TERM": "xterm", **env},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            # A session of its own, whose terminal it is: Ctrl-C is a signal then.
            preexec_fn=_own_terminal,  # noqa: PLW1509  # nothing else runs in the child
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what still runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._own)

    def type(self, text: str) -> None:
        """Type a text; Ctrl-C is the character 3, Ctrl-D 4."""
        os.write(self._own, text.encode())

    def wait_for(self, text: str) -> str:
        """Wait until a text is shown behind what was waited for before; return all up to it."""
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.shown:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not shown: {self.shown!r}"
            if select.select([self._own], [], [], left)[0]:
                self.shown += self._read()
        before, _, self.shown = self.shown.partition(text)
        return before

    def status(self) -> int:
        """Wait for the end, and return the exit code."""
        return self._process.wait(_PATIENCE_S)

    def _read(self) -> str:
        try:
            return os.read(self._own, 65_536).decode(errors="replace")
        except OSError as error:  # Linux says so when the program has ended
            message = f"the program has ended: {self.shown!r}"
            raise AssertionError(message) from error


def heed_interrupts() -> None:
    """Let Ctrl-C interrupt this process: one in the background inherits that it does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _own_terminal() -> None:
    heed_interrupts()
    os.setsid()
    # The first terminal that is opened becomes that of the session.
    os.close(os.open(os.ttyname(0), os.O_RDWR))


def _no_application(settings: Settings) -> Flask:
    message = f"the application was built, for {settings.root}"
    raise AssertionError(message)
