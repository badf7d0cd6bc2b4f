"""The command `flask --app wsgi images generate`."""

import time
from pathlib import Path
from typing import Any

import click
import marshmallow as ma
from flask import current_app
from flask.cli import AppGroup

from llm_api.domain.calls import Caller
from llm_api.errors import ApiError
from llm_api.observability.logging import new_request_id
from llm_api.services.images import ImageJob, MadePicture
from llm_api.settings.settings import Settings
from llm_api.web.images.orders import ImageOrder
from llm_api.web.request.context import Services, services
from llm_api.web.rest.images.schemas import ImageRequestSchema
from llm_api.web.schema_fields import invalid_request

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_NOTHING_MADE, _NOT_READY, _SOME_MISSING = 1, 3, 4
_LOOK_S = 2.0  # between two lines of progress


def image_commands(settings: Settings) -> AppGroup:
    """Create the command group `images`."""
    del settings  # the application has them
    group = AppGroup("images", help="Make pictures.")

    @group.command("generate")
    @click.argument("prompt")
    @click.option(
        "--out",
        required=True,
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        help="File to write: .png, .jpg or .webp. Several pictures are numbered.",
    )
    @click.option("--model", help="The image model.  [default: the configured one]")
    @click.option("--size", help="In pixels, such as 1024x768.")
    @click.option("--n", default=1, show_default=True, help="How many pictures.")
    @click.option("--seed", type=int, help="For the same picture again, of models that have one.")
    @click.option("--negative-prompt", help="What not to draw.")
    @click.option("--optimize", is_flag=True, help="Rewrite the prompt first.")
    @click.option("--wait", default=600.0, show_default=True, help="Seconds to wait at most.")
    @click.pass_context
    def generate(context: click.Context, /, out: Path, wait: float, **fields: Any) -> None:
        """Make pictures of PROMPT, show progress, and write them to files.

        Exits with 1 where nothing was made, 2 for a wrong argument, 3 where the pictures are not
        ready in time, and 4 where some of them are missing.
        """
        order = _order(out, fields)
        parts = services()
        try:
            code = _written(parts, _made(parts, order, wait), out)
        except ApiError as error:
            raise click.ClickException(error.message) from error
        finally:
            # The usage row is written here; what still runs is left to the service's workers.
            parts.tasks.close()
            current_app.extensions["llm_api_spool"].close()
        context.exit(code)  # which also closes the application's context

    return group


def _order(out: Path, fields: dict[str, Any]) -> ImageOrder:
    """Read the order, and where its pictures go; raises UsageError before anything is paid."""
    if out.suffix.lower() not in _FORMATS:
        raise click.UsageError(f"--out must end in one of {', '.join(_FORMATS)}.")
    if not out.parent.is_dir():
        raise click.UsageError(f"--out must be in a folder that exists, not in {out.parent}.")
    optimizes = fields.pop("optimize")
    given = {name: value for name, value in fields.items() if value is not None}
    given |= {"optimize_prompt": optimizes, "output_format": _FORMATS[out.suffix.lower()]}
    try:
        order: ImageOrder = ImageRequestSchema().load(given)
    except ma.ValidationError as error:
        raise click.UsageError(invalid_request(error.messages).message) from error
    return order


def _made(parts: Services, order: ImageOrder, wait: float) -> ImageJob:
    """Return the job as it is at its end, or when the wait is over; raises ApiError."""
    caller = Caller(new_request_id(), "flask images generate")
    began_at = time.monotonic()
    job = parts.images.generate(order.request, caller, wait=0, optimize=order.optimize)
    _say(f"{job.model} makes {job.id}")
    for notice in job.notices:
        _say(f"{notice.field} ({notice.code}): {notice.message}")
    while not job.state.has_ended and (left := began_at + wait - time.monotonic()) > 0:
        job = parts.images.job(job.id, None, wait=min(_LOOK_S, left))
        _say(f"{job.state.value}, {time.monotonic() - began_at:.0f} s")
    if job.error is not None:
        raise job.error
    return job


def _written(parts: Services, job: ImageJob, out: Path) -> int:
    """Write the pictures, and return the exit code; raises ApiError."""
    if not job.state.has_ended:
        _say(f"Not ready; GET /api/v1/images/tasks/{job.id} will have the pictures.")
        return _NOT_READY
    if not job.pictures:
        _say(f"The job was {job.state.value}.")
        return _NOTHING_MADE
    is_one = len(job.pictures) + len(job.failed) == 1
    for made in job.pictures:
        path = _path(made, out if is_one else out.with_stem(f"{out.stem}-{made.index + 1}"))
        path.write_bytes(parts.files.read_all(made.file))
        click.echo(path)
    for index, why in job.failed:
        _say(f"Picture {index + 1} was not made: {why.message}")
    return _SOME_MISSING if job.failed else 0


def _path(made: MadePicture, wanted: Path) -> Path:
    """Return where a picture goes: its name must not lie about what a vendor has sent."""
    kind = made.file.media_type.partition("/")[2]
    return wanted if _FORMATS[wanted.suffix.lower()] == kind else wanted.with_suffix(f".{kind}")


def _say(text: str) -> None:
    click.echo(text, err=True)
