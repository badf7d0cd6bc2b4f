"""The command `usage plot`: draws calls, tokens or cost over time."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.command import CommandGroup, with_options
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.new_files import require_free, require_name, write_new
from llm_api.cli.terminal_charts import chart_text
from llm_api.cli.usage_reports import filters_of, span_options, usage_of
from llm_api.cli.usage_series import METRICS, STEPS, Chart, charts_of, left_out
from llm_api.domain.usage import USAGE_DIMENSIONS
from llm_api.settings.settings import Settings

_SUFFIXES = (".png", ".svg")
_plot_options = with_options(
    click.option("--metric", type=click.Choice(METRICS), default="calls", show_default=True),
    click.option(
        "--by",
        type=click.Choice([*USAGE_DIMENSIONS, "all"]),
        default="model",
        show_default=True,
        help="What has a line each; all: one line.",
    ),
    click.option("--per", type=click.Choice(STEPS), default="day", show_default=True),
    click.option(
        "--top", type=click.IntRange(1, 20), default=8, show_default=True, help="Lines at most."
    ),
    click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        help="A .png or .svg file to draw to, in place of the terminal; needs `make plots`.",
    ),
    click.option("--force", is_flag=True, help="Write over a file that is there."),
)


def add_plot(group: CommandGroup, settings: Settings) -> None:
    """Add the command to the group `usage`."""

    @group.command(
        "plot",
        examples=(
            "usage plot --metric cost --by model",
            "usage plot --metric tokens --by key --per hour --since 2026-01-31 --out tokens.svg",
        ),
    )
    @span_options
    @_plot_options
    @service_options(settings)
    def plot(target: Target, out: Path | None, *, force: bool, as_json: bool, **asked: Any) -> None:
        """Draw calls, tokens or cost over time.

        Tokens are those that upstreams have counted, and cost is what is known: what is left out is
        told.
        """
        if out is not None:
            _check(out, is_forced=force)
        report = _report(target, asked)
        charts = charts_of(report, asked["metric"], asked["by"], asked["per"], top=asked["top"])
        if out is not None:
            content = import_module("llm_api.cli.plot_files").drawn(charts, out.suffix[1:].lower())
            write_new(out, [content], is_forced=force)
        _print(charts, out, as_json=as_json)
        for sentence in left_out(report, asked["metric"]):
            click.echo(sentence, err=True)


def _check(out: Path, *, is_forced: bool) -> None:
    require_name(out, _SUFFIXES)
    require_free(out, is_forced=is_forced)
    import_module("llm_api.cli.plot_files").require_library()


def _report(target: Target, asked: Mapping[str, Any]) -> dict[str, Any]:
    names = [asked["per"]] if asked["by"] == "all" else [asked["per"], asked["by"]]
    span = {"since": asked["since"], "until": asked["until"], "group_by": ",".join(names)}
    arguments = {**filters_of(asked["filters"]), **span}
    with usage_of(target) as usage, Progress("summing up"):
        return usage.report(arguments)


def _print(charts: list[Chart], out: Path | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json_text([chart.to_dict() for chart in charts]))
    elif out is not None:
        click.echo(out)
    else:
        click.echo("\n\n".join(map(chart_text, charts)))
