"""What the programs for terminals share: each step is one run in a folder of its own."""

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting import Facts, Step, run

HELLO = "hello"
MORE = "and then?"
PERSON_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["name", "year"],
    "additionalProperties": False,
}
# What the model asks it to read; the scripted upstream wants to have it back.
WEATHER_FILE = "weather.txt"
WEATHER = "23 degrees\n"
# A program that goes on for longer is ended, and its requests counted.
_PATIENCE = 100.0

See = Callable[[str], Any]


class ProgramError(Exception):
    """The program has ended with an error, or was ended; what it wrote is the message."""


@dataclass(frozen=True)
class Terminal:
    """A program: how it is called in a step's folder, and what of its output its user reads.

    `options` are those of a first question, or of one that `goes_on`. `text_of` finds the piece of
    text in a line of output; None where a program shows none before the end.
    """

    path: str
    options: Callable[..., Sequence[str]]
    env: Callable[[Step], Mapping[str, str]]
    answer: Callable[[Sequence[str], Path], str]
    text_of: Callable[[str], str | None] | None = None

    def start(self, step: Step, folder: Path, *, goes_on: bool = False) -> subprocess.Popen[str]:
        """Start the program for a step."""
        return subprocess.Popen(
            [self.path, *self.options(step, folder, goes_on=goes_on)],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), **self.env(step)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, step: Step, folder: Path, see: See = id, *, goes_on: bool = False) -> str:
        """Run the program for a step, show its lines as they come, and return its answer."""
        lines: list[str] = []
        child = self.start(step, folder, goes_on=goes_on)
        end = threading.Timer(_PATIENCE, os.killpg, [child.pid, signal.SIGTERM])
        end.start()
        try:
            for line in child.stdout:
                lines.append(line)
                see(line)
        finally:
            end.cancel()
        if child.wait():
            raise ProgramError("".join(lines))
        return self.answer(lines, folder)


Action = Callable[[Terminal, Step, Path, Facts], None]


def take_steps(terminal: Terminal) -> None:
    """Take the steps that the first argument lists, and print what the user of the program gets."""

    def taken(action: Action) -> Callable[[Step, Facts], None]:
        def take(step: Step, facts: Facts) -> None:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
                (Path(name) / WEATHER_FILE).write_text(WEATHER)
                action(terminal, step, Path(name), facts)

        return take

    actions = dict.fromkeys(("plain", "tools", "refused", "busy", "broken"), _plain)
    actions |= {one.__name__.strip("_"): one for one in (_turns, _stream, _structured, _leaving)}
    asked = [terminal.path, "--version"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    version = next(word for word in told.split() if word[0].isdigit())
    steps = {name: taken(action) for name, action in actions.items()}
    run(version, steps, lambda error: {"message": str(error)})


def _plain(terminal: Terminal, step: Step, folder: Path, facts: Facts) -> None:
    facts["text"] = terminal.run(step, folder)


def _turns(terminal: Terminal, step: Step, folder: Path, facts: Facts) -> None:
    terminal.run(step, folder)
    facts["text"] = terminal.run(step, folder, goes_on=True)


def _stream(terminal: Terminal, step: Step, folder: Path, facts: Facts) -> None:
    facts["texts"] = []

    def see(line: str) -> None:
        if text := terminal.text_of(line):
            facts["texts"].append(text)
            step.tell_arrival()

    terminal.run(step, folder, see)


def _structured(terminal: Terminal, step: Step, folder: Path, facts: Facts) -> None:
    facts["parsed"] = json.loads(terminal.run(step, folder))


def _leaving(terminal: Terminal, step: Step, folder: Path, facts: Facts) -> None:
    child = terminal.start(step, folder)
    step.wait_for_text()
    os.killpg(child.pid, signal.SIGTERM)
    child.communicate(timeout=_PATIENCE)
    facts["left"] = step.has_left()
