"""The commands `flask --app wsgi usage …`."""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain

import click
import marshmallow as ma
from flask import current_app
from flask.cli import AppGroup

from llm_api.cli.found_calls import call_text
from llm_api.cli.groups import group_service
from llm_api.cli.opening import replica_of, tell_freshness
from llm_api.cli.tables import aligned
from llm_api.domain.money import decimal_text
from llm_api.domain.usage import USAGE_DIMENSIONS, UsageQuery, UsageSums
from llm_api.errors import ApiError
from llm_api.services.keys.service import KeyService
from llm_api.services.usage.report_query import FORMATS, GROUPS, ReportRequest
from llm_api.services.usage.reports import NAMES, ReportService, per_image, table_rows, to_dict
from llm_api.settings.settings import Settings
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.factory import open_key_store, open_store
from llm_api.storage.key_store import KeyStore
from llm_api.storage.reads import Reading, Reads
from llm_api.storage.threads import StoreThreads
from llm_api.web.request.context import EXTENSION, Services
from llm_api.web.rest.usage_schemas import UsageReportArgumentsSchema

_COLUMNS = ("calls", "errors", "prompt", "completion", "estimated", "images", "per_image", "cost")


def usage_commands(settings: Settings) -> AppGroup:
    """Create the command group `usage`."""
    group = AppGroup("usage", help="Report calls, tokens and cost, or show one call.")
    _add_report(group, settings)
    _add_show(group)
    return group


def _add_report(group: AppGroup, settings: Settings) -> None:
    @group.command("report")
    @click.option("--since", default="", help="First day or hour, UTC.  [default: 30 days ago]")
    @click.option("--until", default="", help="Day or hour to end before.  [default: tomorrow]")
    @click.option(
        "--group-by",
        default="model",
        show_default=True,
        help=f"Comma-separated list of {', '.join(GROUPS)}.",
    )
    @click.option("--filter", "filters", multiple=True, help="NAME=VALUE, such as model=qwen-plus.")
    @click.option(
        "--format", "output_format", type=click.Choice(["table", *FORMATS]), default="table"
    )
    def report(filters: tuple[str, ...], output_format: str, **span: str) -> None:
        """Report the calls of a span of time, in groups."""
        query = _request({**span, **_filters(filters)}).query
        found = _groups(settings, query)
        _OUTPUTS[output_format](found.value, query.group_by)
        tell_freshness(found.freshness)


def _add_show(group: AppGroup) -> None:
    @group.command("show")
    @click.argument("request_id")
    @click.option("--json", "as_json", is_flag=True, help="Print all fields as JSON.")
    def show(request_id: str, *, as_json: bool) -> None:
        """Show all that is known of a call: attempts, causes, times, tokens and cost.

        REQUEST_ID is the x-request-id of the answer, as in the log, or that of the usage row. Calls
        in progress on this machine are found, too.
        """
        services: Services = current_app.extensions[EXTENSION]
        try:
            found = services.lookup.find(request_id, None)
        except ApiError as error:
            raise click.ClickException(error.message) from error
        described = services.lookup.described(found, is_operator=True)
        if as_json:
            click.echo(json.dumps(described, indent=2, ensure_ascii=False))
            return
        click.echo("\n\n".join(map(call_text, described["calls"])))
        if found.has_more:
            click.echo(f"\nThere are more; these are the newest {len(found.calls)}.")


def _filters(filters: Sequence[str]) -> dict[str, str | list[str]]:
    """Read NAME=VALUE; a name that is given repeatedly has a list of its values."""
    values = defaultdict(list)
    for text in filters:
        name, _, value = text.partition("=")
        if name not in USAGE_DIMENSIONS or not value:
            expected = f"NAME=VALUE with one of {', '.join(USAGE_DIMENSIONS)}"
            raise click.ClickException(f"--filter must be {expected}.")
        values[name].append(value)
    return {name: found if len(found) > 1 else found[0] for name, found in values.items()}


def _request(values: dict[str, str | list[str]]) -> ReportRequest:
    try:
        request: ReportRequest = UsageReportArgumentsSchema().load(values)
    except ma.ValidationError as error:
        problems = (f"{name}: {found[0]}" for name, found in error.messages_dict.items())
        raise click.ClickException("\n".join(problems)) from error
    return request


def _groups(settings: Settings, query: UsageQuery) -> Reading[list[UsageSums]]:
    threads = StoreThreads(1)
    with (
        closing(_store(settings)) as store,
        closing(_keys(settings)) as keys,
        group_service(settings) as groups,
        replica_of(settings) as replica,
    ):
        of_replica = None
        if replica is not None and not settings.usage_store:
            of_replica = replica.usage, replica.link
        try:
            names = KeyService(keys, threads).names
            reads = Reads(store, threads, of_replica)
            return ReportService(reads, names, groups.names).all(query)
        except ApiError as error:
            raise click.ClickException(error.message) from error


def _store(settings: Settings) -> UsageStore:
    try:
        folder = settings.instance
        return open_store(settings.database_url, settings.usage_store, folder)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def _keys(settings: Settings) -> KeyStore:
    try:
        return open_key_store(settings.database_url)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def _print_table(groups: Sequence[UsageSums], names: Sequence[str]) -> None:
    each = ([name, NAMES[name]] if name in NAMES else [name] for name in names)
    names = list(chain.from_iterable(each))
    rows = [[*names, *_COLUMNS], *(_line(sums, names) for sums in groups)]
    click.echo(aligned(rows, right_from=len(names)))


def _print_json(groups: Sequence[UsageSums], _names: Sequence[str]) -> None:
    click.echo(json.dumps([to_dict(sums) for sums in groups], indent=2))


def _print_csv(groups: Sequence[UsageSums], names: Sequence[str]) -> None:
    csv.writer(sys.stdout).writerows(table_rows(groups, names))


_OUTPUTS: dict[str, Callable[[Sequence[UsageSums], Sequence[str]], None]] = {
    "table": _print_table,
    "json": _print_json,
    "csv": _print_csv,
}


def _line(sums: UsageSums, names: Sequence[str]) -> list[str]:
    estimated = sums.estimated["prompt_tokens"] + sums.estimated["completion_tokens"]
    costs = [f"{decimal_text(micro)} {name}" for name, micro in sorted(sums.cost_micro.items())]
    counts = (
        sums.calls,
        sums.errors,
        sums.measured["prompt_tokens"],
        sums.measured["completion_tokens"],
        estimated,
        sums.images,
    )
    each = [per_image(sums, currency) for currency in sorted(sums.cost_micro)]
    return [
        *(sums.group[name] for name in names),
        *map(str, counts),
        next(filter(None, each), "-"),
        " + ".join(costs) or "unknown",
    ]
