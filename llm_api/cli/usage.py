"""The command `flask --app wsgi usage report`."""

import csv
import json
import sys

import click
from flask.cli import AppGroup

from llm_api.domain.usage import USAGE_DIMENSIONS, UsageSums
from llm_api.errors import ApiError
from llm_api.services.usage.report_query import FORMATS, GROUPS, ReportArguments
from llm_api.services.usage.reports import ReportService, amount, as_rows, described
from llm_api.settings.settings import Settings
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.factory import open_store
from llm_api.storage.threads import StoreThreads

_COLUMNS = ("calls", "errors", "prompt", "completion", "estimated", "cost")


def usage_commands(settings: Settings) -> AppGroup:
    """Make the group of commands."""
    group = AppGroup("usage", help="What calls came to.")

    @group.command("report")
    @click.option("--since", default="", help="The first day or whole hour, UTC; 30 days ago.")
    @click.option("--until", default="", help="The day or hour to end before; the end of today.")
    @click.option("--group-by", default="model", show_default=True, help=f"Of {', '.join(GROUPS)}.")
    @click.option("--filter", "filters", multiple=True, help="Such as model=qwen-plus.")
    @click.option("--format", "form", type=click.Choice(["table", *FORMATS]), default="table")
    def report(since: str, until: str, group_by: str, filters: tuple[str, ...], form: str) -> None:
        """Report calls, tokens and cost of a span of time."""
        values = {"since": since, "until": until, "group_by": group_by, **_filters(filters)}
        arguments = ReportArguments(values)
        query = arguments.query()
        if arguments.problems:
            raise click.ClickException(
                "\n".join(f"{name}: {right}" for name, right in arguments.problems.items())
            )
        store = _store(settings)
        try:
            groups = ReportService(store, StoreThreads(1)).all(query)
        except ApiError as error:
            raise click.ClickException(error.message) from error
        finally:
            store.close()
        if form == "json":
            click.echo(json.dumps([described(sums) for sums in groups], indent=2))
        elif form == "csv":
            csv.writer(sys.stdout).writerows(as_rows(groups, query.group_by))
        else:
            click.echo(_as_table(groups, query.group_by))

    return group


def _store(settings: Settings) -> UsageStore:
    try:
        folder = settings.root / "instance"
        return open_store(settings.database_url, settings.usage_store, folder)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def _filters(filters: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in filters]
    if any(name not in USAGE_DIMENSIONS or not value for name, _, value in pairs):
        right = f"--filter must be NAME=VALUE with one of {', '.join(USAGE_DIMENSIONS)}."
        raise click.ClickException(right)
    names = [name for name, _, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise click.ClickException(f"{name}: must be given once.")
    return {name: value for name, _, value in pairs}


def _as_table(groups: list[UsageSums], names: tuple[str, ...]) -> str:
    rows = [[*names, *_COLUMNS], *(_line(sums, names) for sums in groups)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < len(names) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _line(sums: UsageSums, names: tuple[str, ...]) -> list[str]:
    estimated = sums.estimated["prompt_tokens"] + sums.estimated["completion_tokens"]
    costs = [f"{amount(micro)} {name}" for name, micro in sorted(sums.cost_micro.items())]
    counts = (
        sums.calls,
        sums.errors,
        sums.measured["prompt_tokens"],
        sums.measured["completion_tokens"],
        estimated,
    )
    return [
        *(sums.group[name] for name in names),
        *map(str, counts),
        " + ".join(costs) or "unknown",
    ]
