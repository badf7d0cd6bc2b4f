"""The command `lineage report`."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from llm_api.cli.calling.command import CommandGroup
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.tables import aligned
from llm_api.services.lineage.learning import JUDGED_BY
from llm_api.settings.settings import Settings

_PATH = "/api/v1/reports"

_Group = Mapping[str, Any]


def lineage_commands(settings: Settings) -> CommandGroup:
    """Create the command group `lineage`."""
    group = CommandGroup("lineage", help="Report what is learned from feedback and verdicts.")

    @group.command("report", examples=("lineage report --since 2026-01-01",))
    @click.option("--since", default="", help="First day or hour, UTC.  [default: 30 days ago]")
    @click.option("--until", default="", help="Day or hour to end before.  [default: tomorrow]")
    @click.option("--judged-by", type=click.Choice(JUDGED_BY), default=JUDGED_BY[0])
    @click.option("--format", "output", type=click.Choice(["table", "json"]), default="table")
    @service_options(settings)
    def report(output: str, target: Target, *, as_json: bool, **values: str) -> None:
        """Report which rewrites win, whether rewriting helps, and what a good picture costs."""
        found = _report(target, values)
        click.echo(json_text(found) if as_json or output == "json" else _tables(found))

    return group


def _report(target: Target, values: Mapping[str, str]) -> _Group:
    found: _Group
    if target.url:
        with target.client() as client:
            found = client.get(_PATH, values)
    else:
        # Not at the top: it needs a second.
        found = import_module("llm_api.cli.own.own_lineage").learning_report(
            target.settings, values
        )
    return found


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
