"""The command `optimize`: rewrites a prompt, or those of a file."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.command import Command, Decorator, given_fields, with_options
from llm_api.cli.calling.exit_codes import UNFINISHED, json_text
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_targets
from llm_api.domain.prompts import REQUEST_TYPES
from llm_api.settings.settings import Settings

_PATH = "/api/v1/llm/optimize-prompt"
_EXAMPLES = (
    'optimize "A cat on a chair" --target-model flux',
    'optimize "A rocket starts" --type video --target-model wan --json',
    'optimize "Mara waves." --type storyboard --total-seconds 5 --cast "Mara=a woman in yellow"',
    "optimize --file prompts.txt --out outcomes.jsonl",
)

_file_options = with_options(
    click.option(
        "--file",
        "source",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Rewrite a file: one prompt a line; a line that begins with { is a request in JSON.",
    ),
    click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Of --file: where outcomes are written, one a line in JSON; what is there stays.",
    ),
)


def _cast(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> Sequence[Any]:
    """Read NAME=DESCRIPTION; raises BadParameter."""
    named = [text.partition("=") for text in texts]
    if not all(name and description for name, _, description in named):
        raise click.BadParameter("must be NAME=DESCRIPTION.")
    return tuple({"name": name, "description": described} for name, _, described in named)


_storyboard_options = with_options(
    click.option("--total-seconds", type=int, help="Of a storyboard: of all its shots together."),
    click.option("--shots", type=int, help="Of a storyboard: how many.  [default: what suits it]"),
    click.option(
        "--cast",
        metavar="NAME=DESCRIPTION",
        multiple=True,
        callback=_cast,
        help="Of a storyboard: who plays, and how that looks; repeatable.",
    ),
)


def optimize_command(settings: Settings) -> click.Command:
    """Create the command `optimize`."""

    @click.command("optimize", cls=Command, examples=_EXAMPLES)
    @click.argument("prompt", required=False)
    @_rewriting_options(settings)
    @_storyboard_options
    @_file_options
    @service_options(settings)
    @click.pass_context
    def optimize(
        context: click.Context,
        /,
        prompt: str | None,
        source: Path | None,
        out: Path | None,
        target: Target,
        *,
        as_json: bool,
        **options: Any,
    ) -> None:
        """Rewrite PROMPT, or the prompts of a file.

        They are for an image or video model. The rewrite alone is on standard output; of a
        storyboard, whose PROMPT is a script, these are its shots. Without a configured upstream the
        bundled model is started for the time of the command.

        With --file exits with 3 if prompts are left, such as while an upstream is away: the same
        command tries those again.
        """
        fields = _fields(options)
        if (prompt is None) == (source is None) or (source is None) != (out is None):
            raise click.UsageError("Give a PROMPT, or else --file and --out.")
        if source is None or out is None:
            _rewrite(target, {**fields, "prompt": prompt}, as_json=as_json)
        elif _rewrite_file(source, out, fields, target, as_json=as_json):
            context.exit(UNFINISHED)

    return optimize


def _rewriting_options(settings: Settings) -> Decorator:
    return with_options(
        click.option(
            "--type", "kind", type=click.Choice(REQUEST_TYPES), default="image", show_default=True
        ),
        click.option(
            "--target-model",
            "targets",
            multiple=True,
            shell_complete=complete_targets(settings),
            help="The model that gets the prompt; several have a rewrite each.  [default: generic]",
        ),
        click.option("--n", type=click.IntRange(1, 4), help="How many rewrites to choose from."),
        click.option("--style", help="Such as watercolor."),
        click.option("--language", help="Of the rewrite: a tag such as en or zh, or auto."),
        click.option("--max-length", type=int, help="Of the rewrite, in characters."),
        click.option("--preserve", multiple=True, help="Words that stay letter by letter."),
        click.option("--seed", type=int, help="For models that have one."),
        click.option(
            "--negative", "include_negative_prompt", is_flag=True, help="What not to show."
        ),
    )


def _fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the request that were given."""
    targets, kind = options["targets"], options["kind"]
    others = {name: value for name, value in options.items() if name not in {"targets", "kind"}}
    several = {"targets": targets} if len(targets) > 1 else {}
    return {
        "type": kind,
        **(several or {"target_model": targets[0] if targets else "generic"}),
        **given_fields(others),
    }


def _rewrite(target: Target, fields: Mapping[str, Any], *, as_json: bool) -> None:
    details = {} if "targets" in fields else {"include_details": True}
    with target.client(needs_model=True) as client, Progress("rewriting"):
        document = client.send("POST", _PATH, {**fields, **details})
    if as_json:
        click.echo(json_text(document))
        return
    for one in document.get("rewrites") or [document]:
        for text in one.get("candidates") or [one["optimized_prompt"]]:
            click.echo(text)
        for line in _about(one):
            click.echo(line, err=True)


def _rewrite_file(
    source: Path, out: Path, fields: Mapping[str, Any], target: Target, *, as_json: bool
) -> int:
    """Rewrite the prompts of a file; returns how many have no outcome."""
    # Not at the top: it needs the application.
    rewrite_file = import_module("llm_api.cli.own.prompt_file").rewrite_file
    failed: int = rewrite_file(source, out, fields, target)
    if as_json:
        click.echo(json_text({"out": str(out), "failed": failed}))
    if failed:
        click.echo(f"{failed} were not rewritten; run the same command again.", err=True)
    return failed


def _about(rewrite: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was kept and added, and what is not as it was requested."""
    details = rewrite.get("details") or {}
    if "target_model" in rewrite:
        yield f"for      {rewrite['target_model']}"
    kept = [f"{kind}: {', '.join(words)}" for kind, words in (details.get("kept") or {}).items()]
    added = rewrite.get("improvements") or ()
    lines = {
        "kept": kept,
        "added": added,
        "negative": [rewrite["negative_prompt"]] if rewrite.get("negative_prompt") else (),
        "warning": rewrite.get("warnings") or (),
        "note": details.get("notes") or (),
    }
    for name, texts in lines.items():
        yield from (f"{name:<8} {text}" for text in texts)
