"""The commands `videos …`: have films made, look after them, and delete them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.command import CommandGroup, Decorator
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_films
from llm_api.cli.film_jobs import FILMS, GENERATE, SECONDS, film_fields, film_options
from llm_api.cli.film_shots import add_storyboard
from llm_api.cli.jobs import add_cancel, add_show, finish, tell_order
from llm_api.cli.new_files import OutFile
from llm_api.cli.tables import aligned
from llm_api.domain.money import MICRO
from llm_api.domain.safe_text import made_printable
from llm_api.domain.tasks import TaskState
from llm_api.settings.settings import Settings

_MOST = 100  # films of an answer
_COLUMNS = ("id", "status", "created", "model", "film", "cost", "prompt")
_PROMPT_CHARS = 40
_STATES = tuple(state.value for state in TaskState)


def video_commands(settings: Settings) -> CommandGroup:
    """Create the command group `videos`."""
    group = CommandGroup("videos", help="Have films made, and look after them.")
    _add_generate(group, settings)
    add_storyboard(group, settings)
    job = click.argument("job", shell_complete=complete_films(settings))
    add_show(FILMS, group, settings, "videos show video_5f0c2b9e7a4d41d6 --out kite.mp4", job)
    _add_list(group, settings)
    add_cancel(FILMS, group, settings, "videos cancel video_5f0c2b9e7a4d41d6", job)
    _add_delete(group, settings, job)
    return group


def _add_generate(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "generate",
        examples=(
            'videos generate "A red kite above a hill" --seconds 5 --out kite.mp4',
            'videos generate "It rises" --first-frame kite.png --audio --out kite.mp4 --json',
        ),
    )
    @click.argument("prompt", required=False)
    @click.option(
        "--seconds", "duration", type=SECONDS, help="How long, or auto.  [default: the model's]"
    )
    @click.option("--last-frame", help="The picture that it ends with: a file or address.")
    @click.option("--return-last-frame", is_flag=True, help="Keep its last picture, too.")
    @click.option("--negative-prompt", help="What not to show.")
    @click.option("--optimize", "optimize_prompt", is_flag=True, help="Rewrite the prompt.")
    @film_options(settings)
    def generate(prompt: str | None, **options: Any) -> None:
        """Have a film made of PROMPT, and write it to a file.

        With a first frame some models need no PROMPT. Exits with 1 where nothing was made, 2 for a
        wrong argument, and 3 where the film is not ready in time: it goes on at a service
        elsewhere, and `videos show` writes it.
        """
        _make(prompt, **options)


def _add_list(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "list", examples=("videos list --status succeeded", "videos list --limit 100 --json")
    )
    @click.option("--status", type=click.Choice(_STATES), help="Only films in this state.")
    @click.option("--limit", default=20, show_default=True, type=click.IntRange(1, _MOST))
    @click.option("--after", default="", help="The id with which the page before has ended.")
    @service_options(settings)
    def list_films(
        status: str | None, limit: int, after: str, target: Target, *, as_json: bool
    ) -> None:
        """List the films of the key, the newest first."""
        query = {"status": status or "", "limit": str(limit), "after": after}
        with target.client() as client:
            page = client.get("/api/v1/videos", query)
        if as_json:
            click.echo(json_text(page["data"]))
        else:
            click.echo(aligned([list(_COLUMNS), *map(_row, page["data"])]))
        if page["has_more"]:
            click.echo(f"Earlier films: --after {page['last_id']}", err=True)


def _add_delete(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("delete", examples=("videos delete video_5f0c2b9e7a4d41d6 --yes",))
    @argument
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @service_options(settings)
    def delete(job: str, target: Target, *, yes: bool, as_json: bool) -> None:
        """Delete a JOB that has ended, with its files.

        Its usage stays.
        """
        if not yes:
            click.confirm(f"Delete {job} and its film?", abort=True, err=True)
        with target.client() as client:
            deleted = client.send("DELETE", f"{FILMS.place(job)}?purge=1")
        if as_json:
            click.echo(json_text(deleted))
        click.echo(f"{job} is deleted.", err=True)


def _make(
    prompt: str | None,
    *,
    out: Path,
    wait: float,
    target: Target,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Order a film, wait for it, and write it; raises CommandFailed."""
    files = OutFile(out, FILMS.types, is_forced=force)
    files.require_free([None])  # before anything is paid
    body = film_fields({"prompt": prompt, **options})
    with target.client() as client:
        with Progress("ordering"):
            job = client.send("POST", GENERATE, body)
        tell_order(job)
        finish(FILMS, client, job, files, wait, as_json=as_json)


def _row(task: Mapping[str, Any]) -> list[str]:
    film, usage, prompt = task["result"], task["usage"], task["prompt"]["original"]
    cost = usage["cost_micros"]
    shown = made_printable(prompt[:_PROMPT_CHARS])
    return [
        task["id"],
        task["status"],
        _moment(task["created_at"]),
        task["model"],
        "-" if film is None else f"{film['width']}x{film['height']}, {film['bytes'] / 1e6:.1f} MB",
        "-" if cost is None else f"{cost / MICRO:g} {usage['currency'] or ''}".rstrip(),
        f"{shown}…" if len(prompt) > _PROMPT_CHARS else shown,
    ]


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
