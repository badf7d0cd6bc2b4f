"""What `optimize --file` does: it rewrites the prompts of a file.

Each outcome is one line, written at once: a run that was killed goes on where it was, and asks for
nothing again that is written.
"""

import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.exit_codes import WRONG_USAGE, CommandFailed
from llm_api.cli.calling.target import Target
from llm_api.cli.own.rewriting import Rewrite, own_rewrites, remote_rewrites
from llm_api.services.prompt_batches import AT_ONCE


def rewrite_file(source: Path, out: Path, usual: Mapping[str, Any], target: Target) -> int:
    """Rewrite what has no outcome yet; returns how many lines have none then.

    Args:
        source: a prompt a line, or a request in JSON.
        out: gets the outcomes.
        usual: fields of the requests that a line does not name itself.
        target: the service that is asked.
    """
    lines = _read(source, usual)
    with _outcomes(out) as outcomes:
        done = outcomes.known(lines)
        waiting = [line for line in lines if line.digest not in done]
        if waiting and not target.url:
            import_module("llm_api.cli.own_model").require_model(target.settings)
        click.echo(f"{len(done)} of {len(lines)} are written already", err=True)
        rewriting = remote_rewrites if target.url else own_rewrites
        with rewriting(target) as rewrite:
            return _Run(waiting, outcomes, len(lines)).finish(rewrite)


@dataclass(frozen=True, slots=True)
class _Line:
    """A prompt of the file: its number from 1, what is asked, and a hash of both."""

    number: int
    fields: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """What its outcome is recognized by."""
        text = json.dumps([self.number, self.fields], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(source: Path, usual: Mapping[str, str]) -> list[_Line]:
    """Read the prompts; empty lines are none."""
    try:
        texts = source.read_text("utf-8").split("\n")
    except (UnicodeDecodeError, OSError) as error:
        raise click.ClickException("--file must be a readable text file in UTF-8.") from error
    numbered = [(number, text.strip()) for number, text in enumerate(texts, 1)]
    return [_Line(number, _fields(number, text, usual)) for number, text in numbered if text]


def _fields(number: int, text: str, usual: Mapping[str, str]) -> Mapping[str, Any]:
    if not text.startswith("{"):
        return {**usual, "prompt": text}
    try:
        fields: dict[str, Any] = json.loads(text)
    except ValueError:  # such as {red|green} at the beginning of a prompt
        return {**usual, "prompt": text}
    if not isinstance(fields.get("prompt"), str):
        raise click.ClickException(f"--file, line {number}: the JSON must have a prompt, a text.")
    # Instead of the usual ones: a request has either.
    for own, other in (("targets", "target_model"), ("target_model", "targets")):
        if fields.get(own) is not None:
            fields.setdefault(other, None)
    return {**usual, **fields}


class _Outcomes:
    """The file of outcomes; each is written by one call, so that a killed run tears the last."""

    def __init__(self, file: int, written: bytes) -> None:
        self._file = file
        self._written = written
        self._lock = threading.Lock()

    def known(self, lines: list[_Line]) -> set[str]:
        """Return which lines have an outcome; raises ClickException for those of another file."""
        wanted = {line.number: line.digest for line in lines}
        done = set()
        for text in self._written.splitlines():
            try:
                outcome = json.loads(text)
                number, digest = outcome["line"], outcome["request"]
            except (ValueError, TypeError, KeyError) as error:
                raise click.ClickException("--out has lines that are no outcomes.") from error
            if wanted.get(number) != digest:
                raise click.ClickException(
                    f"--out has the outcome of another line {number}; name a new file."
                )
            done.add(digest)
        return done

    def add(self, outcome: Mapping[str, Any]) -> None:
        """Write an outcome."""
        line = json.dumps(outcome, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            os.write(self._file, line)


@contextmanager
def _outcomes(path: Path) -> Iterator[_Outcomes]:
    """Open the file of outcomes, without a last line that was torn; raises ClickException."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise click.ClickException(f"--out: {error.strerror}.") from error
    try:
        written = path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        os.ftruncate(file, len(whole))
        yield _Outcomes(file, whole)
    finally:
        os.close(file)


class _Run:
    """Rewrites lines, some at a time."""

    def __init__(self, lines: list[_Line], outcomes: _Outcomes, total: int) -> None:
        self._waiting = deque(lines)
        self._outcomes = outcomes
        self._total = total
        self._before = total - len(lines)
        self._done: list[int] = []  # line numbers; threads append to them

    def finish(self, rewrite: Rewrite) -> int:
        """Rewrite all lines; returns how many have no outcome."""
        count = min(AT_ONCE, len(self._waiting))
        threads = [
            threading.Thread(target=self._work, args=[rewrite], daemon=True) for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._total - self._before - len(self._done)

    def _work(self, rewrite: Rewrite) -> None:
        while True:
            try:
                line = self._waiting.popleft()
            except IndexError:
                return
            self._rewrite(line, rewrite)

    def _rewrite(self, line: _Line, rewrite: Rewrite) -> None:
        try:
            said = rewrite(line.fields)
        except CommandFailed as failed:
            if failed.exit_code != WRONG_USAGE:
                click.echo(f"line {line.number}: {failed.message}", err=True)
                return
            said = failed.document  # it would be refused again
        self._outcomes.add({"line": line.number, "request": line.digest, **said})
        self._done.append(line.number)
        click.echo(f"{self._before + len(self._done)} of {self._total}", err=True)
