"""The commands `judge …`: pictures are scored, compared and described, and the judge watched."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.command import CommandGroup, Decorator, given_fields
from llm_api.cli.calling.exit_codes import DIFFERS, json_text
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_models, complete_targets
from llm_api.cli.picture_files import picture_argument
from llm_api.settings.settings import Settings

_SCORE, _DESCRIBE = "/api/v1/llm/score-image", "/api/v1/llm/describe-image"
_HISTORY = "judge_anchors.jsonl"


def judge_commands(settings: Settings) -> CommandGroup:
    """Create the command group `judge`."""
    group = CommandGroup("judge", help="Judge pictures, and watch over the judge.")
    for add in (_add_score, _add_compare, _add_describe, _add_anchors):
        add(group, settings)
    return group


def _model(settings: Settings) -> Decorator:
    return click.option(
        "--model",
        shell_complete=complete_models(settings),
        help="The vision model.  [default: the configured judge]",
    )


def _add_score(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "score",
        examples=('judge score cat.png --prompt "Two red cats" --checkpoint "There are two cats"',),
    )
    @click.argument("image")
    @click.option("--prompt", help="What the picture was to show.")
    @click.option("--checkpoint", "checkpoints", multiple=True, help="True of a right picture.")
    @click.option(
        "--dimension", "dimensions", multiple=True, help="What is judged.  [default: all]"
    )
    @click.option("--reference", help="A picture that it is to be like.")
    @click.option("--threshold", type=float, help="From this score on it passes.  [default: 60]")
    @click.option("--samples", type=int, help="How often the model is asked.  [default: 1]")
    @_model(settings)
    @service_options(settings)
    @click.pass_context
    def score(
        context: click.Context,
        /,
        image: str,
        reference: str | None,
        target: Target,
        *,
        as_json: bool,
        **fields: Any,
    ) -> None:
        """Score IMAGE, a file or an address, from 0 to 100.

        Exits with 4 where it does not pass.
        """
        pictures = {"image": picture_argument(image)}
        if reference is not None:
            pictures["reference_image"] = picture_argument(reference)
        verdict = _asked(target, _SCORE, {**given_fields(fields), **pictures})
        click.echo(json_text(verdict) if as_json else "\n".join(_verdict(verdict)))
        context.exit(DIFFERS if verdict["passed"] is False else 0)


def _add_compare(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "compare",
        examples=(
            'judge compare one.png two.png --prompt "A red cat"',
            'judge compare *.png --prompt "A red cat" --json',
        ),
    )
    @click.argument("images", nargs=-1, required=True)
    @click.option("--prompt", help="What the pictures were to show.")
    @click.option("--samples", type=int, help="How often the model is asked.  [default: 1]")
    @_model(settings)
    @service_options(settings)
    def compare(images: tuple[str, ...], target: Target, *, as_json: bool, **fields: Any) -> None:
        """Name the better of two IMAGES, or put up to eight in order."""
        mode = "rank" if len(images) > 2 else "compare"
        pictures = [picture_argument(image) for image in images]
        answer = _asked(target, _SCORE, {**given_fields(fields), "mode": mode, "images": pictures})
        if as_json:
            click.echo(json_text(answer))
            return
        if mode == "rank":
            click.echo("\n".join(images[place] for place in answer["ranking"]))
        else:
            winner = answer["winner"]
            click.echo(images[winner] if isinstance(winner, int) else winner)
        for line in _remarks(answer):
            click.echo(line, err=True)


def _add_describe(group: CommandGroup, settings: Settings) -> None:
    @group.command("describe", examples=("judge describe cat.png --target-model sdxl",))
    @click.argument("image")
    @click.option(
        "--target-model",
        shell_complete=complete_targets(settings),
        help="The model that gets the prompt.  [default: generic]",
    )
    @click.option("--type", "type", type=click.Choice(["image", "video"]), help="[default: image]")
    @click.option("--language", help="Of the prompt: a tag such as en or zh, or auto.")
    @_model(settings)
    @service_options(settings)
    def describe(image: str, target: Target, *, as_json: bool, **fields: Any) -> None:
        """Write the prompt with which a model would make IMAGE again."""
        body = {**given_fields(fields), "image": picture_argument(image)}
        answer = _asked(target, _DESCRIBE, body)
        click.echo(json_text(answer) if as_json else answer["optimized_prompt"])
        for warning in answer.get("warnings") or ():
            click.echo(f"warning  {warning}", err=True)


def _add_anchors(group: CommandGroup, settings: Settings) -> None:
    @group.command("anchors", examples=("judge anchors",))
    @click.option("--model", help="The vision model.  [default: the configured judge]")
    @click.option(
        "--history",
        type=click.Path(dir_okay=False, path_type=Path),
        default=settings.instance / _HISTORY,
        help=f"Where results are kept.  [default: {_HISTORY} in INSTANCE_DIR]",
    )
    @click.pass_context
    def anchors(
        context: click.Context, /, model: str | None, history: Path, *, as_json: bool
    ) -> None:
        """Judge pictures with known verdicts again, and compare with the last time.

        Exits with 0 if nothing has changed, 1 if the model could not be asked, 3 if fewer than
        three quarters of the known verdicts are right, and 4 if the model judges otherwise than
        the last time.
        """
        # Not at the top: it needs the application.
        check = import_module("llm_api.cli.own.anchor_check").check_anchors
        context.exit(check(model, history, as_json=as_json))


def _asked(target: Target, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    with target.client() as client, Progress("judging"):
        answer: dict[str, Any] = client.send("POST", path, body)
    return answer


def _verdict(verdict: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a verdict: the score, its parts, checkpoints and issues."""
    result = {True: "passed", False: "not passed"}.get(verdict["passed"], "not judged")
    yield f"{_number(verdict['overall'])} of 100, {result}"
    for name, one in verdict["scores"].items():
        yield f"  {name:<12} {_number(one['score']):>4}  {one['evidence'] or ''}".rstrip()
    for one in verdict["checkpoints"]:
        mark = {True: "yes", False: "no"}.get(one["passed"], "?")
        yield f"  {mark:<4} {one['text']}"
    for one in verdict["issues"]:
        yield f"  {one['severity']}: {one['type']}, {one['where'] or 'everywhere'}"
    yield from _remarks(verdict)


def _remarks(answer: Mapping[str, Any]) -> Iterator[str]:
    if answer.get("summary"):
        yield answer["summary"]
    yield from (f"warning  {warning}" for warning in answer.get("warnings") or ())


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.0f}"
