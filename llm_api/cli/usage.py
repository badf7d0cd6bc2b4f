"""The commands `usage …`: reports, and one call; `usage_plot` draws."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import click

from llm_api.cli.calling.command import CommandGroup
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.calling.progress import Progress
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.found_calls import call_text
from llm_api.cli.tables import aligned
from llm_api.cli.usage_plot import add_plot
from llm_api.cli.usage_reports import filters_of, span_options, usage_of
from llm_api.services.usage.report_query import FORMATS, GROUPS
from llm_api.settings.settings import Settings

_COLUMNS = ("calls", "errors", "prompt", "completion", "estimated", "images", "per_image", "cost")
_NAMES = {"key": "key_name", "group": "group_name"}  # what an id is called beside it


def usage_commands(settings: Settings) -> CommandGroup:
    """Create the command group `usage`."""
    group = CommandGroup("usage", help="Report calls, tokens and cost, or show one call.")
    for add in (_add_report, add_plot, _add_show):
        add(group, settings)
    return group


def _add_report(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "report",
        examples=(
            "usage report --group-by model,day --filter tag=team=video",
            "usage report --since 2026-01-01 --format csv > usage.csv",
        ),
    )
    @span_options
    @click.option(
        "--group-by",
        default="model",
        show_default=True,
        help=f"Comma-separated list of {', '.join(GROUPS)}.",
    )
    @click.option(
        "--format", "output_format", type=click.Choice(["table", *FORMATS]), default="table"
    )
    @service_options(settings)
    def report(
        filters: tuple[str, ...],
        output_format: str,
        target: Target,
        *,
        as_json: bool,
        **span: str,
    ) -> None:
        """Report the calls of a span of time, in groups."""
        arguments = {**span, **filters_of(filters)}
        with usage_of(target) as usage, Progress("summing up"):
            if output_format == "csv" and not as_json:
                text = usage.table(arguments)
            else:
                found = usage.report(arguments)
                is_json = as_json or output_format == "json"
                text = json_text(found["groups"]) if is_json else _table(found)
        click.echo(text, nl=not text.endswith("\n"))


def _add_show(group: CommandGroup, settings: Settings) -> None:
    @group.command("show", examples=("usage show req_5f0c2b9e7a4d41d68e13b0aa",))
    @click.argument("request_id")
    @service_options(settings)
    def show(request_id: str, target: Target, *, as_json: bool) -> None:
        """Show all that is known of a call: attempts, causes, times, tokens and cost.

        REQUEST_ID is the x-request-id of the answer, as in the log, or that of the usage row. Calls
        in progress on this machine are found, too.
        """
        with usage_of(target) as usage:
            found = usage.call(request_id)
        if as_json:
            click.echo(json_text(found))
            return
        click.echo("\n\n".join(map(call_text, found["calls"])))
        if found["has_more"]:
            click.echo(f"\nThere are more; these are the newest {len(found['calls'])}.")


def _table(report: Mapping[str, Any]) -> str:
    each = ([name, _NAMES[name]] if name in _NAMES else [name] for name in report["group_by"])
    names = list(chain.from_iterable(each))
    rows = [[*names, *_COLUMNS], *(_line(group, names) for group in report["groups"])]
    return aligned(rows, right_from=len(names))


def _line(group: Mapping[str, Any], names: list[str]) -> list[str]:
    estimated = group["estimated"]
    counts = (
        group["calls"],
        group["errors"],
        group["measured"]["prompt_tokens"],
        group["measured"]["completion_tokens"],
        estimated["prompt_tokens"] + estimated["completion_tokens"],
        group["images"],
    )
    costs = [f"{one['amount']} {one['currency']}" for one in group["cost"]]
    each = (one["per_image"] for one in group["cost"] if one.get("per_image"))
    return [
        *(group[name] for name in names),
        *map(str, counts),
        next(each, "-"),
        " + ".join(costs) or "unknown",
    ]
