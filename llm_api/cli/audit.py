"""The command `audit`."""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from llm_api.cli.calling.command import Command
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.tables import aligned
from llm_api.domain.audit import ACTS
from llm_api.settings.settings import Settings

_PATH = "/api/v1/audit"
_MOST = 1_000  # acts of an answer
_COLUMNS = ("at", "actor", "act", "subject", "change", "request_id", "address")
_NOTHING: tuple[Any, ...] = (None, False, [], {})
_EXAMPLES = ("audit --since 2026-01-31 --act key.delete", "audit --actor cli:maria --json")


def audit_command(settings: Settings) -> click.Command:
    """Create the command `audit`."""

    @click.command("audit", cls=Command, examples=_EXAMPLES)
    @click.option("--since", default="", help="First day or time, UTC.")
    @click.option("--until", default="", help="Day or time to end before.")
    @click.option("--act", type=click.Choice(ACTS), help="Only acts of this kind.")
    @click.option("--subject", default="", help="Only acts on this key, group, job or lineage.")
    @click.option("--actor", default="", help="Only acts by this key, or user such as cli:maria.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, _MOST))
    @click.option("--cursor", default="", help="Where the page before has ended.")
    @service_options(settings)
    def audit(limit: int, target: Target, *, as_json: bool, **values: str | None) -> None:
        """List what was done by an admin's right, the latest first."""
        page = _page(target, {**values, "limit": str(limit)})
        if as_json:
            click.echo(json_text(page["acts"]))
        else:
            click.echo(aligned([list(_COLUMNS), *map(_line, page["acts"])]))
        if page["next_cursor"] is not None:
            click.echo(f"Earlier acts: --cursor {page['next_cursor']}", err=True)

    return audit


def _page(target: Target, arguments: Mapping[str, str | None]) -> Mapping[str, Any]:
    given = {name: value or "" for name, value in arguments.items()}
    page: Mapping[str, Any]
    if target.url:
        with target.client() as client:
            page = client.get(_PATH, given)
    else:
        # Not at the top: it needs a second.
        page = import_module("llm_api.cli.own.own_audit").audit_page(target.settings, given)
    return page


def _line(act: Mapping[str, Any]) -> list[str]:
    actor, subject = act["actor"], act["subject"]
    return [
        act["at"],
        actor["id"],
        act["act"],
        subject["id"] if subject["name"] is None else f"{subject['name']} ({subject['id']})",
        _change(act),
        act["request_id"] or "-",
        act["address"] or "-",
    ]


def _change(act: Mapping[str, Any]) -> str:
    """Write what a change has changed, what was given, or what is gone."""
    before, after = act["before"], act["after"]
    if before is not None and after is not None:
        return ", ".join(
            f"{name}: {_text(before.get(name))} -> {_text(value)}" for name, value in after.items()
        )
    ending = " -> gone" if after is None else ""
    only = {name: value for name, value in (after or before or {}).items() if value not in _NOTHING}
    return ", ".join(f"{name}: {_text(value)}{ending}" for name, value in only.items()) or "-"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
