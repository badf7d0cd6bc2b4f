"""The command `flask --app wsgi optimize`: rewrites the prompts of a file.

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
from pathlib import Path
from typing import Any

import click
import marshmallow as ma
from flask import current_app
from flask.cli import with_appcontext

from llm_api.cli.own_model import require_model
from llm_api.domain.calls import Caller
from llm_api.domain.prompts import TYPES, PromptRequest
from llm_api.errors import ApiError, InvalidRequest
from llm_api.observability.logging import new_request_id
from llm_api.services.prompt_batches import AT_ONCE
from llm_api.services.prompts import PromptOptimizer
from llm_api.settings.settings import Settings
from llm_api.web.request.context import services
from llm_api.web.response.error_formats import error_document
from llm_api.web.rest.prompt_answers import prompt_answer
from llm_api.web.rest.prompt_schemas import EditOrder, PromptRequestSchema
from llm_api.web.rest.target_schemas import TARGETS
from llm_api.web.schema_fields import invalid_request

_ROUTE = "flask optimize"
_UNFINISHED = 3


def optimize_command(settings: Settings) -> click.Command:
    """Create the command `optimize`."""

    @click.command("optimize", help="Rewrite the prompts of a file.")
    @click.option(
        "--file",
        "source",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="One prompt a line; a line that begins with { is a request in JSON.",
    )
    @click.option(
        "--out",
        required=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="Where outcomes are written, one a line in JSON; what is there already stays.",
    )
    @click.option("--type", "kind", type=click.Choice(TYPES), default="image")
    @click.option("--target-model", type=click.Choice(TARGETS), default=TARGETS[0])
    @click.pass_context
    @with_appcontext
    def optimize(
        context: click.Context, source: Path, out: Path, kind: str, target_model: str
    ) -> None:
        """Rewrite what has no outcome yet.

        Without a configured upstream the bundled model is started for the time of the command.

        Exits with 0 if every line has one, and with 3 if some could not be rewritten for now: the
        same command tries those again.
        """
        usual = {"type": kind, "target_model": target_model}
        failed = _rewritten(source, out, usual, settings)
        if failed:
            click.echo(f"{failed} were not rewritten; run the same command again.", err=True)
            context.exit(_UNFINISHED)

    return optimize


def _rewritten(source: Path, out: Path, usual: Mapping[str, str], settings: Settings) -> int:
    """Rewrite what has no outcome yet; returns how many lines have none then."""
    lines = _read(source, usual)
    with _outcomes(out) as outcomes:
        done = outcomes.known(lines)
        waiting = [line for line in lines if line.digest not in done]
        if waiting:
            require_model(settings)
        click.echo(f"{len(done)} of {len(lines)} are written already", err=True)
        run = _Run(waiting, outcomes, len(lines))
        failed = run.finish(services().optimizer)
    current_app.extensions["llm_api_spool"].close()  # the usage rows are written here
    services().lineage.late.close()
    current_app.extensions["llm_api_lineage_spool"].close()
    return failed


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
    if fields.get("targets") is not None:  # instead of the usual one
        fields.setdefault("target_model", None)
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
        # Line numbers; threads append to them.
        self._done: list[int] = []
        self._failed: list[int] = []

    def finish(self, optimizer: PromptOptimizer) -> int:
        """Rewrite all lines; returns how many have no outcome."""
        count = min(AT_ONCE, len(self._waiting))
        threads = [
            threading.Thread(target=self._work, args=[optimizer], daemon=True) for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(self._failed)

    def _work(self, optimizer: PromptOptimizer) -> None:
        while True:
            try:
                line = self._waiting.popleft()
            except IndexError:
                return
            self._rewrite(line, optimizer)

    def _rewrite(self, line: _Line, optimizer: PromptOptimizer) -> None:
        request_id = new_request_id()
        try:
            result = optimizer.optimize(_request(line), Caller(request_id, _ROUTE)).answer
            said: Mapping[str, Any] = {"result": prompt_answer(result)}
            if result.rewrite_id is not None:
                said = {**said, "rewrite_id": result.rewrite_id}
        except InvalidRequest as error:  # it would be refused again
            said = error_document(error, "/api/v1", request_id)
        except ApiError as error:
            self._failed.append(line.number)
            click.echo(f"line {line.number}: {error.message}", err=True)
            return
        self._outcomes.add({"line": line.number, "request": line.digest, **said})
        self._done.append(line.number)
        click.echo(f"{self._before + len(self._done)} of {self._total}", err=True)


def _request(line: _Line) -> PromptRequest:
    try:
        request: PromptRequest | EditOrder = PromptRequestSchema().load(line.fields)
    except ma.ValidationError as error:
        raise invalid_request(error.messages) from error
    if isinstance(request, EditOrder):
        problem = "must be left out in a file of prompts: the API alone reads pictures."
        raise InvalidRequest.of_field("images", problem, reason="not_supported")
    return request
