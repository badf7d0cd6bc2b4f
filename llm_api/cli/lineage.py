"""The command `flask --app wsgi lineage report`."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import click
from flask.cli import AppGroup

from llm_api.cli.opening import errors_as_messages, loaded, replica_of
from llm_api.cli.tables import aligned
from llm_api.services.lineage.learning import JUDGED_BY
from llm_api.services.lineage.lineage_reports import LearningQuery, LearningReports
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_work_stores
from llm_api.storage.reads import Reads
from llm_api.storage.threads import StoreThreads
from llm_api.web.rest.lineage.learning_schemas import LearningArgumentsSchema

_Group = Mapping[str, Any]


def lineage_commands(settings: Settings) -> AppGroup:
    """Create the command group `lineage`."""
    group = AppGroup("lineage", help="Report what is learned from feedback and verdicts.")

    @group.command("report")
    @click.option("--since", default="", help="First day or hour, UTC.  [default: 30 days ago]")
    @click.option("--until", default="", help="Day or hour to end before.  [default: tomorrow]")
    @click.option("--judged-by", type=click.Choice(JUDGED_BY), default=JUDGED_BY[0])
    @click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
    def report(output: str, **values: str) -> None:
        """Report which rewrites win, whether rewriting helps, and what a good picture costs."""
        found = _report(settings, loaded(LearningArgumentsSchema(), values))
        click.echo(json.dumps(found, indent=2) if output == "json" else _tables(found))

    return group


def _report(settings: Settings, query: LearningQuery) -> _Group:
    threads = StoreThreads(1)
    with (
        errors_as_messages(),
        closing(open_work_stores(settings.database_url)) as work,
        replica_of(settings) as replica,
    ):
        of_replica = None if replica is None else (replica.lineages, replica.link_of(threads))
        return LearningReports(Reads(work.lineages, threads, of_replica)).report(query)


def _tables(report: _Group) -> str:
    sections: Sequence[tuple[str, Sequence[str], Callable[[_Group], list[str]], int]] = (
        ("rewrites", ("template", "target", "type", *_SHARE), _rewrite, 3),
        ("comparisons", ("target", "type", "rewrite", "control", *_GAP), _comparison, 2),
        ("models", ("model", "pictures", "accepted", "cost", "per_accepted"), _model, 1),
    )
    tables = [
        f"{name}\n{aligned([list(titles), *map(line, report[name])], right_from=right)}"
        for name, titles, line, right in sections
    ]
    return "\n\n".join(tables)


_SHARE = ("lineages", "judged", "accepted", "rate", "interval")
_GAP = ("difference", "interval", "rewriting")


def _rewrite(group: _Group) -> list[str]:
    counts = [str(group[name]) for name in _SHARE[:3]]
    names = [group[name] for name in ("template_version", "target_model", "type")]
    return [*names, *counts, _percent(group["rate"]), _interval(group)]


def _comparison(group: _Group) -> list[str]:
    arms = [f"{group[arm]['accepted']}/{group[arm]['judged']}" for arm in ("rewrite", "control")]
    return [
        group["target_model"],
        group["type"],
        *arms,
        _percent(group["difference"]),
        _interval(group),
        group["rewriting"],
    ]


def _model(group: _Group) -> list[str]:
    costs = group["cost"]
    total = " + ".join(f"{one['amount']} {one['currency']}" for one in costs) or "unknown"
    each = " + ".join(one["per_accepted"] for one in costs if one["per_accepted"]) or "-"
    return [group["model"], str(group["pictures"]), str(group["accepted"]), total, each]


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _interval(group: _Group) -> str:
    return f"{_percent(group['low'])} to {_percent(group['high'])}"
