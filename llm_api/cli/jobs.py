"""What `images` and `videos` share: jobs are waited for with progress, shown and cancelled."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.api_client import ApiClient, in_path
from llm_api.cli.calling.command import CommandGroup, Decorator, with_options
from llm_api.cli.calling.exit_codes import (
    FAILED,
    RETRY_LATER,
    UNFINISHED,
    UNREACHABLE,
    CommandFailed,
    failure_of,
    json_text,
)
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.new_files import OutFile
from llm_api.settings.settings import Settings

UNDER_WAY = frozenset({"queued", "running"})
_LOOK_S = 2.0  # between two looks at a job, unless the service says later
# How often a service is asked again that is away, such as for a restart: the job goes on meanwhile.
_AGAIN = 30
_PASSING = frozenset({RETRY_LATER, UNREACHABLE})


job_argument = click.argument("job")


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of jobs.

    Attributes:
        group: their commands, such as `images`.
        path: where they are in the API, up to the id.
        types: media types of their files, by the endings of names.
        several: what `--out` says of several files; empty where a job has one.
        wait: seconds that are waited for a job where nothing is said.
        write: writes the files of a result; returns the exit code and the files, and raises
            CommandFailed.
        lines: writes a job for people.
    """

    group: str
    path: str
    types: Mapping[str, str]
    several: str
    wait: float
    write: Callable[[ApiClient, Mapping[str, Any], OutFile], tuple[int, list[Path]]]
    lines: Callable[[Mapping[str, Any]], str]

    def place(self, job: str) -> str:
        """Return the path of a job."""
        return self.path + in_path(job)


def out_option(kind: JobKind, *, is_required: bool = True) -> Decorator:
    """Return what adds `--out`."""
    endings = ", ".join(kind.types)
    return click.option(
        "--out",
        required=is_required,
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"File to write: {endings}.{kind.several}",
    )


def waiting_options(kind: JobKind) -> Decorator:
    """Return what adds `--force` and `--wait`."""
    return with_options(
        click.option("--force", is_flag=True, help="Write over files that are there."),
        click.option(
            "--wait",
            type=click.FloatRange(0),
            default=kind.wait,
            show_default=True,
            help="Seconds to wait at most.",
        ),
    )


def add_show(
    kind: JobKind,
    group: CommandGroup,
    settings: Settings,
    example: str,
    argument: Decorator = job_argument,
) -> None:
    """Add the command `show` to a group."""

    @group.command("show", examples=(example,))
    @argument
    @out_option(kind, is_required=False)
    @waiting_options(kind)
    @service_options(settings)
    def show(
        job: str, out: Path | None, target: Target, wait: float, *, force: bool, as_json: bool
    ) -> None:
        """Show what became of a JOB, and with --out wait for its end and write its files.

        Exits as `generate` does.
        """
        with target.client() as client:
            if out is None:
                task = client.get(kind.place(job))
                click.echo(json_text(task) if as_json else kind.lines(task))
                return
            files = OutFile(out, kind.types, is_forced=force)
            files.require_free([] if kind.several else [None])  # before it is waited for
            finish(kind, client, client.get(kind.place(job)), files, wait, as_json=as_json)


def add_cancel(
    kind: JobKind,
    group: CommandGroup,
    settings: Settings,
    example: str,
    argument: Decorator = job_argument,
) -> None:
    """Add the command `cancel` to a group."""

    @group.command("cancel", examples=(example,))
    @argument
    @service_options(settings)
    def cancel(job: str, target: Target, *, as_json: bool) -> None:
        """Cancel a JOB, as far as its vendor can."""
        with target.client() as client:
            ended = client.send("DELETE", kind.place(job))
        if as_json:
            click.echo(json_text(ended))
        click.echo(f"{ended['id']}: {ended['cancel_state'] or ended['status']}", err=True)


def tell_order(job: Mapping[str, Any]) -> None:
    """Write to standard error which model makes a job, and what has become of its fields."""
    click.echo(f"{job['model']} makes {job['id']}", err=True)
    for warning in job["warnings"]:
        click.echo(f"{warning['field']} ({warning['code']}): {warning['message']}", err=True)


def finish(
    kind: JobKind,
    client: ApiClient,
    task: Mapping[str, Any],
    files: OutFile,
    wait: float,
    *,
    as_json: bool,
) -> None:
    """Wait for the end of a job, write its files, and end the command with the exit code."""
    task = ended(kind, client, task, wait)
    code, written = _written(kind, client, task, files)
    if as_json:
        click.echo(json_text({**task, "files": [str(path) for path in written]}))
    else:
        for path in written:
            click.echo(path)
    click.get_current_context().exit(code)


def ended(
    kind: JobKind,
    client: ApiClient,
    task: Mapping[str, Any],
    wait: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Mapping[str, Any]:
    """Return a task at its end, or when `wait` seconds are over; raises CommandFailed.

    `sleep` waits for a service that is away.
    """
    began_at = time.monotonic()
    with Progress(state_of(task)) as progress:
        while task["status"] in UNDER_WAY:
            left = began_at + wait - time.monotonic()
            if left <= 0:
                break
            task = _looked_at(kind, client, task, left, sleep)
            progress.say(state_of(task))
    seconds = time.monotonic() - began_at
    click.echo(f"{task['id']}: {task['status']}, {seconds:.0f} s", err=True)
    return task


def _looked_at(
    kind: JobKind,
    client: ApiClient,
    task: Mapping[str, Any],
    left: float,
    sleep: Callable[[float], None],
) -> Mapping[str, Any]:
    """Return a task as it is at its next change, or soon; `left` are the seconds at most."""
    look = max(_LOOK_S, (task["poll_after_ms"] or 0) / 1_000)
    wait_ms = str(round(min(left, look) * 1_000) or 1)
    for again in range(min(_AGAIN, round(left / _LOOK_S)), -1, -1):
        try:
            task = client.get(kind.place(task["id"]), {"wait_ms": wait_ms})
        except CommandFailed as failed:
            if failed.exit_code not in _PASSING or not again:
                raise
            sleep(_LOOK_S)
        else:
            break
    return task


def failure_of_job(task: Mapping[str, Any]) -> CommandFailed | None:
    """Return why a job that has ended made nothing, in the form of an error response; or None."""
    error = task["error"]
    if error is not None:
        about = {name: value for name, value in error.items() if name != "message"}
        details = {**about, "request_id": task["request_id"]}
        return failure_of(502, {"error": {"message": error["message"], "details": details}})
    if task["result"] is None and task["status"] not in UNDER_WAY:
        return CommandFailed(f"The job was {task['status']}.", FAILED)
    return None


def _written(
    kind: JobKind, client: ApiClient, task: Mapping[str, Any], files: OutFile
) -> tuple[int, list[Path]]:
    """Write the files of a job; return the exit code, and the files. Raises CommandFailed."""
    if (failure := failure_of_job(task)) is not None:
        raise failure
    if task["status"] in UNDER_WAY:
        tell_late(kind, task)
        return UNFINISHED, []
    return kind.write(client, task["result"], files)


def tell_late(kind: JobKind, task: Mapping[str, Any]) -> None:
    """Write to standard error how a job is waited for that is not ready."""
    click.echo(f"Not ready; `{kind.group} show {task['id']} --out FILE` waits for it.", err=True)


def state_of(task: Mapping[str, Any]) -> str:
    """Return how far a job is, as it is shown meanwhile."""
    percent = task.get("progress")
    return f"{task['id']} is {task['status']}{'' if percent is None else f', {percent} %'}"
