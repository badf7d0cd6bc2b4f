"""The command `videos storyboard`: has the shots of a storyboard filmed, each into its own file."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import click

from llm_api.cli.calling.api_client import ApiClient
from llm_api.cli.calling.command import CommandGroup
from llm_api.cli.calling.exit_codes import (
    DIFFERS,
    UNFINISHED,
    WRONG_USAGE,
    CommandFailed,
    json_text,
)
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target
from llm_api.cli.film_jobs import FILMS, GENERATE, film_fields, film_options, write_film
from llm_api.cli.jobs import UNDER_WAY, ended, failure_of_job, tell_late, tell_order
from llm_api.cli.new_files import OutFile
from llm_api.settings.settings import Settings

_LAST = "return_last_frame"


@dataclass(frozen=True, slots=True)
class _Shot:
    """A shot, and what has become of it: without a task and a failure it was not begun.

    `fields` are those of the request for its film.
    """

    number: int
    fields: Mapping[str, Any]
    task: Mapping[str, Any] | None = None
    failure: CommandFailed | None = None
    path: Path | None = None

    @property
    def is_late(self) -> bool:
        """Whether its film is still being made."""
        return self.task is not None and self.task["status"] in UNDER_WAY

    @property
    def document(self) -> Mapping[str, Any]:
        """The shot in JSON."""
        return {
            "number": self.number,
            "file": None if self.path is None else str(self.path),
            "task": self.task,
            "error": None if self.failure is None else self.failure.document["error"],
        }


class _Filming:
    """Has shots filmed, and their films written: what fails of a shot is kept with it."""

    def __init__(self, client: ApiClient, files: OutFile, wait: float) -> None:
        """Wait for each film at most `wait` seconds."""
        self._client = client
        self._files = files
        self._wait = wait

    def at_once(self, shots: Sequence[_Shot]) -> list[_Shot]:
        """Order all films, and then wait for them."""
        ordered = [self._ordered(shot) for shot in shots]
        return [self._finished(shot) for shot in ordered]

    def connected(self, shots: Sequence[_Shot]) -> list[_Shot]:
        """Order one film after the other, each from the last picture of the one before."""
        filmed: list[_Shot] = []
        for shot in shots:
            if not filmed:
                filmed.append(self._finished(self._ordered(shot)))
            elif (frame := _last_frame(filmed[-1])) is None:
                filmed.append(shot)
            else:
                fields = {**shot.fields, "first_frame": frame}
                # Its shape is that of its first frame; some models take no other word for it.
                fields.pop("aspect_ratio", None)
                filmed.append(self._finished(self._ordered(replace(shot, fields=fields))))
        return filmed

    def _ordered(self, shot: _Shot) -> _Shot:
        try:
            with Progress(f"ordering shot {shot.number}"):
                task = self._client.send("POST", GENERATE, shot.fields)
        except CommandFailed as failure:
            return replace(shot, failure=failure)
        tell_order(task)
        return replace(shot, task=task)

    def _finished(self, shot: _Shot) -> _Shot:
        if shot.task is None:
            return shot
        try:
            task = ended(FILMS, self._client, shot.task, self._wait)
            shot = replace(shot, task=task, failure=failure_of_job(task))
            if shot.is_late:
                tell_late(FILMS, task)
            elif shot.failure is None:
                path = write_film(self._client, task["result"], self._files, shot.number)
                shot = replace(shot, path=path)
        except CommandFailed as failure:
            return replace(shot, failure=failure)
        return shot


def add_storyboard(group: CommandGroup, settings: Settings) -> None:
    """Add the command `storyboard` to the group."""

    @group.command(
        "storyboard",
        examples=(
            "videos storyboard pier.json --out pier.mp4",
            "videos storyboard pier.json --out pier.mp4 --connected --shot 3 --shot 4",
        ),
    )
    @click.argument("file", type=click.File(encoding="utf-8"))
    @click.option(
        "--connected", is_flag=True, help="Begin each shot with the last picture of that before."
    )
    @click.option(
        "--shot", "numbers", type=int, multiple=True, help="Film this shot alone; repeatable."
    )
    @film_options(settings)
    def storyboard(
        file: IO[str], out: Path, numbers: tuple[int, ...], *, force: bool, **options: Any
    ) -> None:
        """Have the shots of a storyboard filmed, each into a file with its number.

        FILE is what `optimize --type storyboard --json` has written, or - for standard input. All
        shots are checked before the first is paid. They are made at the same time, or with
        --connected one after the other; --wait is for each, and --first-frame for the first.

        Exits with 1 where nothing was made, 2 where the storyboard, an option or a shot is wrong, 3
        where some films are not ready in time, and 4 where some are missing.
        """
        shots = _read(file, numbers)
        files = OutFile(out, FILMS.types, is_forced=force)
        files.require_free(shot for shot, _ in shots)
        _film(shots, files, **options)


def _read(file: IO[str], numbers: Collection[int]) -> list[tuple[int, dict[str, Any]]]:
    """Return the numbers of shots, and their own fields; raises BadParameter."""
    try:
        shots = [
            (int(one["number"]), dict(_own_fields(one)))
            for one in json.load(file)["storyboard"]["shots"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        said = "FILE must be what `optimize --type storyboard --json` has written."
        raise click.BadParameter(said) from error
    if unknown := set(numbers) - {number for number, _ in shots}:
        raise click.BadParameter(f"The storyboard has {len(shots)} shots, and no {min(unknown)}.")
    if not shots:
        raise click.BadParameter("The storyboard has no shots.")
    return [shot for shot in shots if not numbers or shot[0] in numbers]


def _own_fields(shot: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "prompt", shot["prompt"]
    yield "duration", shot["seconds"]
    if shot.get("negative_prompt"):
        yield "negative_prompt", shot["negative_prompt"]


def _film(
    read: Sequence[tuple[int, Mapping[str, Any]]],
    files: OutFile,
    *,
    wait: float,
    target: Target,
    connected: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Have shots filmed, and end the command with the exit code; raises CommandFailed."""
    fields = film_fields(options) | ({_LAST: True} if connected else {})
    if connected and any(name.startswith("reference_") for name in fields):
        raise click.UsageError("--connected is a first frame: no references stand beside one.")
    frame = {"first_frame": fields.pop("first_frame")} if "first_frame" in fields else {}
    first, *others = (_Shot(number, {**fields, **own}) for number, own in read)
    shots = [replace(first, fields={**first.fields, **frame}), *others]
    with target.client() as client:
        for shot in shots:
            # In place of the pictures that are still to be made.
            _check(client, shot, frame if connected else {})
        filming = _Filming(client, files, wait)
        filmed = filming.connected(shots) if connected else filming.at_once(shots)
    _tell(filmed, as_json=as_json)
    click.get_current_context().exit(_exit_code(filmed))


def _check(client: ApiClient, shot: _Shot, more: Mapping[str, Any]) -> None:
    """Look whether a shot with `more` fields would be sent; raises CommandFailed."""
    try:
        with Progress(f"checking shot {shot.number}"):
            shown = client.send("POST", GENERATE, {**shot.fields, **more, "preview": True})
    except CommandFailed as failed:
        said = f"Shot {shot.number}: {failed.message}"
        raise CommandFailed(said, failed.exit_code, failed.document) from failed
    if any(warning["field"] == _LAST for warning in shown["warnings"]):
        raise CommandFailed("--connected needs a model that returns last frames.", WRONG_USAGE)


def _last_frame(shot: _Shot) -> str | None:
    if shot.task is None or shot.path is None:
        return None
    address: str | None = shot.task["result"]["last_frame_url"]
    return address


def _tell(filmed: Sequence[_Shot], *, as_json: bool) -> None:
    """Print the files, and on standard error what is missing."""
    if as_json:
        click.echo(json_text({"shots": [shot.document for shot in filmed]}))
    for shot in filmed:
        if shot.path is not None and not as_json:
            click.echo(shot.path)
        if shot.failure is not None:
            click.echo(f"Shot {shot.number} was not made: {shot.failure.message}", err=True)
    missing = [shot for shot in filmed if shot.path is None and not shot.is_late]
    if missing:
        options = " ".join(f"--shot {shot.number}" for shot in missing)
        click.echo(f"The same command with {options} films what is missing.", err=True)


def _exit_code(filmed: Sequence[_Shot]) -> int:
    missing = [shot for shot in filmed if shot.path is None]
    if any(shot.is_late for shot in filmed):
        return UNFINISHED
    if len(missing) == len(filmed) and (failure := filmed[0].failure) is not None:
        return failure.exit_code
    return DIFFERS if missing else 0
