"""The commands `images …`: make and edit pictures, look after jobs, end them."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.api_client import ApiClient, in_path
from llm_api.cli.calling.command import CommandGroup, Decorator, given_fields, with_options
from llm_api.cli.calling.exit_codes import (
    DIFFERS,
    FAILED,
    UNFINISHED,
    CommandFailed,
    failure_of,
    json_text,
)
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_models
from llm_api.cli.picture_files import OutFile, picture_argument
from llm_api.settings.settings import Settings

_TASKS = "/api/v1/images/tasks/"
_LOOK_S = 2.0  # between two looks at a job
_FINISHED = frozenset({"completed", "failed", "cancelled", "unknown"})


def image_commands(settings: Settings) -> CommandGroup:
    """Create the command group `images`."""
    group = CommandGroup("images", help="Make and edit pictures.")
    for add in (_add_generate, _add_edit, _add_show, _add_cancel):
        add(group, settings)
    return group


def _making_options(settings: Settings) -> Decorator:
    """Return what adds the options of making and editing."""
    return with_options(
        _out(is_required=True),
        click.option(
            "--model",
            shell_complete=complete_models(settings),
            help="The image model.  [default: the configured one]",
        ),
        click.option("--size", help="In pixels, such as 1024x768."),
        click.option("--n", type=int, help="How many pictures.  [default: 1]"),
        click.option("--seed", type=int, help="For the same picture again, if the model has one."),
        click.option("--negative-prompt", help="What not to draw."),
        click.option("--optimize", "optimize_prompt", is_flag=True, help="Rewrite the prompt."),
        *_WAITING,
        service_options(settings),
    )


def _out(*, is_required: bool) -> Decorator:
    return click.option(
        "--out",
        required=is_required,
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to write: .png, .jpg or .webp. Several pictures are numbered.",
    )


_WAITING = (
    click.option("--force", is_flag=True, help="Write over files that are there."),
    click.option(
        "--wait",
        type=click.FloatRange(0),
        default=600.0,
        show_default=True,
        help="Seconds to wait at most.",
    ),
)


def _add_generate(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "generate",
        examples=(
            'images generate "A red cat" --out cat.png',
            'images generate "A red cat" --out cat.webp --size 1024x768 --n 2 --json',
        ),
    )
    @click.argument("prompt")
    @_making_options(settings)
    def generate(prompt: str, **options: Any) -> None:
        """Make pictures of PROMPT, and write them to files.

        Exits with 1 where nothing was made, 2 for a wrong argument, 3 where the pictures are not
        ready in time, and 4 where some of them are missing.
        """
        _make({"prompt": prompt}, **options)


def _add_edit(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "edit",
        examples=('images edit "Make the car blue" --image car.png --out blue.png',),
    )
    @click.argument("prompt")
    @click.option(
        "--image",
        "images",
        multiple=True,
        required=True,
        help="A file, or the address of a picture; repeatable.",
    )
    @click.option("--mask", help="A PNG file that is transparent where the picture may change.")
    @_making_options(settings)
    def edit(prompt: str, images: tuple[str, ...], mask: str | None, **options: Any) -> None:
        """Change pictures as PROMPT says, and write the results to files.

        Exits as `images generate` does.
        """
        fields: dict[str, Any] = {"prompt": prompt, "images": [picture_argument(i) for i in images]}
        if mask is not None:
            fields["mask"] = picture_argument(mask)
        _make(fields, **options)


def _add_show(group: CommandGroup, settings: Settings) -> None:
    @group.command("show", examples=("images show img_5f0c2b9e7a4d41d6 --out cat.png",))
    @click.argument("job")
    @_out(is_required=False)
    @_WAITING[0]
    @_WAITING[1]
    @service_options(settings)
    def show(
        job: str, out: Path | None, target: Target, wait: float, *, force: bool, as_json: bool
    ) -> None:
        """Show what became of a JOB, and with --out wait for its pictures and write them.

        Exits as `images generate` does.
        """
        path = _TASKS + in_path(job)
        with target.client() as client:
            if out is None:
                task = client.get(path)
                click.echo(json_text(task) if as_json else _line(task))
                return
            files = OutFile(out, is_forced=force)
            _finish(client, client.get(path), files, wait, as_json=as_json)


def _add_cancel(group: CommandGroup, settings: Settings) -> None:
    @group.command("cancel", examples=("images cancel img_5f0c2b9e7a4d41d6",))
    @click.argument("job")
    @service_options(settings)
    def cancel(job: str, target: Target, *, as_json: bool) -> None:
        """Cancel a JOB, as far as its vendor can."""
        with target.client() as client:
            ended = client.send("DELETE", _TASKS + in_path(job))
        if as_json:
            click.echo(json_text(ended))
        click.echo(f"{ended['id']}: {ended['cancel_state'] or ended['status']}", err=True)


def _make(
    order: Mapping[str, Any],
    *,
    out: Path,
    wait: float,
    target: Target,
    force: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Order pictures, wait for them, and write them; raises CommandFailed."""
    files = OutFile(out, is_forced=force)
    files.require_free(fields["n"] or 1)  # before anything is paid
    body = {**order, **given_fields(fields), "output_format": files.format, "wait_ms": 0}
    with target.client() as client:
        with Progress("ordering"):
            job = client.send("POST", "/api/v1/images/generate", body)
        click.echo(f"{job['model']} makes {job['id']}", err=True)
        for warning in job["warnings"]:
            click.echo(f"{warning['field']} ({warning['code']}): {warning['message']}", err=True)
        task = client.get(_TASKS + in_path(job["id"]))
        _finish(client, task, files, wait, as_json=as_json)


def _finish(
    client: ApiClient, task: Mapping[str, Any], files: OutFile, wait: float, *, as_json: bool
) -> None:
    """Wait for the end of a job, write its pictures, and end the command with the exit code."""
    task = _ended(client, task, wait)
    code, written = _written(client, task, files)
    if as_json:
        click.echo(json_text({**task, "files": [str(path) for path in written]}))
    else:
        for path in written:
            click.echo(path)
    click.get_current_context().exit(code)


def _ended(client: ApiClient, task: Mapping[str, Any], wait: float) -> Mapping[str, Any]:
    """Return the task at its end, or when the wait is over."""
    began_at = time.monotonic()
    path = _TASKS + in_path(task["id"])
    with Progress(f"{task['id']} is {task['status']}") as progress:
        while task["status"] not in _FINISHED:
            left = began_at + wait - time.monotonic()
            if left <= 0:
                break
            task = client.get(path, {"wait_ms": str(round(min(left, _LOOK_S) * 1_000) or 1)})
            progress.say(f"{task['id']} is {task['status']}")
    seconds = time.monotonic() - began_at
    click.echo(f"{task['id']}: {task['status']}, {seconds:.0f} s", err=True)
    return task


def _written(client: ApiClient, task: Mapping[str, Any], files: OutFile) -> tuple[int, list[Path]]:
    """Write the pictures; return the exit code, and the files. Raises CommandFailed."""
    if task["error"] is not None:
        raise _failure(task)
    if task["status"] not in _FINISHED:
        click.echo(f"Not ready; `images show {task['id']} --out FILE` waits for it.", err=True)
        return UNFINISHED, []
    result = task["result"]
    if result is None:
        click.echo(f"The job was {task['status']}.", err=True)
        return FAILED, []
    pictures, failed = result["data"], result["failed"]
    is_one = len(pictures) + len(failed) == 1
    written = [
        files.write(
            client.read("GET", picture["url"]),
            picture["mime_type"],
            None if is_one else picture["index"] + 1,
        )
        for picture in pictures
    ]
    for one in failed:
        click.echo(f"Picture {one['index'] + 1} was not made: {one['message']}", err=True)
    return DIFFERS if failed else 0, written


def _failure(task: Mapping[str, Any]) -> CommandFailed:
    """Return the failure of a job, in the form of an error response."""
    error = task["error"]
    about = {name: value for name, value in error.items() if name != "message"}
    details = {**about, "request_id": task["request_id"]}
    return failure_of(502, {"error": {"message": error["message"], "details": details}})


def _line(task: Mapping[str, Any]) -> str:
    """Write a task for people."""
    lines = [f"{task['id']}  {task['status']}  {task['model']}"]
    if task["error"] is not None:
        lines.append(task["error"]["message"])
    pictures = [] if task["result"] is None else task["result"]["data"]
    lines += [f"{one['width']}x{one['height']}  {one['url']}" for one in pictures]
    return "\n".join(lines)
