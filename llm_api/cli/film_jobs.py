"""What commands order films with, and how these become files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.api_client import ApiClient
from llm_api.cli.calling.command import Decorator, given_fields, with_options
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import service_options
from llm_api.cli.completing import complete_models
from llm_api.cli.jobs import JobKind, out_option, waiting_options
from llm_api.cli.new_files import OutFile
from llm_api.cli.picture_files import picture_argument
from llm_api.domain.money import MICRO
from llm_api.domain.videos import RATIOS, RESOLUTIONS
from llm_api.settings.settings import Settings

GENERATE = "/api/v1/videos/generate"
_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm"}


class _Seconds(click.ParamType[Any]):
    """A number of seconds, or `auto`."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Read digits as a number; the service knows which are right."""
        if value == "auto":
            return value
        try:
            return int(value)
        except ValueError:
            self.fail("must be a number of seconds, or auto.", param, context)


SECONDS = _Seconds()


def film_options(settings: Settings) -> Decorator:
    """Return what adds the options of all orders of films."""
    return with_options(
        out_option(FILMS),
        click.option(
            "--model",
            shell_complete=complete_models(settings),
            help="The video model.  [default: the configured one]",
        ),
        click.option("--resolution", type=click.Choice(RESOLUTIONS), help="[default: 720p]"),
        click.option(
            "--ratio",
            "aspect_ratio",
            type=click.Choice(RATIOS),
            help="Width to height.  [default: 16:9, or that of the first frame]",
        ),
        click.option("--first-frame", help="The picture that it begins with: a file or address."),
        *_references,
        click.option("--audio", is_flag=True, help="With sound."),
        click.option(
            "--retry-without-audio",
            is_flag=True,
            help="Make it once more, silent, where a filter refuses the sound.",
        ),
        click.option("--seed", type=int, help="For the same film again, if the model has one."),
        click.option("--fps", type=int, help="Frames a second."),
        click.option("--camera-fixed", is_flag=True, help="The camera must not move."),
        click.option("--watermark", is_flag=True, help="Let the vendor mark the film."),
        click.option(
            "--max-cost",
            type=click.FloatRange(0),
            help="Make nothing that may cost more, in the currency of the model's price.",
        ),
        waiting_options(FILMS),
        service_options(settings),
    )


_references = (
    click.option(
        "--reference",
        "reference_images",
        multiple=True,
        help="A picture of what is to be seen: a file or address; repeatable.",
    ),
    click.option(
        "--reference-video",
        "reference_videos",
        multiple=True,
        help="The address of a film to go by; repeatable.",
    ),
    click.option(
        "--reference-audio",
        "reference_audios",
        multiple=True,
        help="The address of a sound to go by; repeatable.",
    ),
)


def film_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request for a film that options stand for; raises BadParameter."""
    fields = given_fields(options)
    for name in {"first_frame", "last_frame"} & set(fields):
        fields[name] = picture_argument(fields[name])
    if "reference_images" in fields:
        fields["reference_images"] = [picture_argument(one) for one in fields["reference_images"]]
    if "max_cost" in fields:
        fields["max_cost_micros"] = round(fields.pop("max_cost") * MICRO)
    return fields


def write_film(
    client: ApiClient, result: Mapping[str, Any], files: OutFile, number: int | None = None
) -> Path:
    """Write the film of a result, as it comes in; raises CommandFailed."""
    with Progress(f"downloading {result['bytes'] / 1e6:.1f} MB"):
        return files.write(client.download(result["url"]), result["mime_type"], number)


def _write(client: ApiClient, result: Mapping[str, Any], files: OutFile) -> tuple[int, list[Path]]:
    written = write_film(client, result, files)
    if result["last_frame_url"] is not None:
        click.echo(f"last frame: {result['last_frame_url']}", err=True)
    return 0, [written]


def _lines(task: Mapping[str, Any]) -> str:
    """Write a task for people."""
    percent = "" if task["progress"] is None else f"  {task['progress']} %"
    lines = [f"{task['id']}  {task['status']}{percent}  {task['model']}"]
    if task["error"] is not None:
        lines.append(task["error"]["message"])
    if (film := task["result"]) is not None:
        seconds = "" if film["duration"] is None else f"{film['duration']:g} s  "
        lines.append(f"{film['width']}x{film['height']}  {seconds}{film['url']}")
    return "\n".join(lines)


FILMS = JobKind(
    group="videos",
    path="/api/v1/videos/",
    types=_TYPES,
    several="",
    wait=1_800.0,
    write=_write,
    lines=_lines,
)
