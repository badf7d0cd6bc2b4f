"""The commands `images …`: make and edit pictures, look after jobs, end them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.api_client import ApiClient
from llm_api.cli.calling.command import CommandGroup, Decorator, given_fields, with_options
from llm_api.cli.calling.exit_codes import DIFFERS
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_models
from llm_api.cli.jobs import (
    JobKind,
    add_cancel,
    add_show,
    finish,
    out_option,
    tell_order,
    waiting_options,
)
from llm_api.cli.new_files import OutFile
from llm_api.cli.picture_files import PICTURE_TYPES, picture_argument
from llm_api.settings.settings import Settings


def image_commands(settings: Settings) -> CommandGroup:
    """Create the command group `images`."""
    group = CommandGroup("images", help="Make and edit pictures.")
    for add in (_add_generate, _add_edit):
        add(group, settings)
    add_show(_PICTURES, group, settings, "images show img_5f0c2b9e7a4d41d6 --out cat.png")
    add_cancel(_PICTURES, group, settings, "images cancel img_5f0c2b9e7a4d41d6")
    return group


def _making_options(settings: Settings) -> Decorator:
    """Return what adds the options of making and editing."""
    return with_options(
        out_option(_PICTURES),
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
        waiting_options(_PICTURES),
        service_options(settings),
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
    files = OutFile(out, PICTURE_TYPES, is_forced=force)
    count = fields["n"] or 1
    files.require_free(range(1, count + 1) if count > 1 else [None])  # before anything is paid
    kind = files.media_type.partition("/")[2]
    body = {**order, **given_fields(fields), "output_format": kind, "wait_ms": 0}
    with target.client() as client:
        with Progress("ordering"):
            job = client.send("POST", "/api/v1/images/generate", body)
        tell_order(job)
        task = client.get(_PICTURES.place(job["id"]))
        finish(_PICTURES, client, task, files, wait, as_json=as_json)


def _write(client: ApiClient, result: Mapping[str, Any], files: OutFile) -> tuple[int, list[Path]]:
    """Write the pictures of a result, and say which were not made."""
    pictures, failed = result["data"], result["failed"]
    is_one = len(pictures) + len(failed) == 1
    written = [
        files.write(
            client.download(picture["url"]),
            picture["mime_type"],
            None if is_one else picture["index"] + 1,
        )
        for picture in pictures
    ]
    for one in failed:
        click.echo(f"Picture {one['index'] + 1} was not made: {one['message']}", err=True)
    return DIFFERS if failed else 0, written


def _lines(task: Mapping[str, Any]) -> str:
    """Write a task for people."""
    lines = [f"{task['id']}  {task['status']}  {task['model']}"]
    if task["error"] is not None:
        lines.append(task["error"]["message"])
    pictures = [] if task["result"] is None else task["result"]["data"]
    lines += [f"{one['width']}x{one['height']}  {one['url']}" for one in pictures]
    return "\n".join(lines)


_PICTURES = JobKind(
    group="images",
    path="/api/v1/images/tasks/",
    types=PICTURE_TYPES,
    several=" Several pictures are numbered.",
    wait=600.0,
    write=_write,
    lines=_lines,
)
