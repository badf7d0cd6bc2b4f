"""The command `flask --app wsgi audit`."""

import json
from contextlib import closing
from typing import Any

import click

from llm_api.cli.opening import errors_as_messages, loaded, replica_of, tell_freshness
from llm_api.cli.tables import aligned
from llm_api.domain.audit import ACTS, AdminAct, AuditQuery
from llm_api.domain.timestamps import utc_text
from llm_api.services.audit import AuditPage, AuditService, to_dict
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_work_stores
from llm_api.storage.reads import Reads
from llm_api.storage.threads import StoreThreads
from llm_api.web.rest.audit_schemas import MAX_LIMIT, AuditArgumentsSchema

_COLUMNS = ("at", "actor", "act", "subject", "change", "request_id", "address")
_NOTHING: tuple[Any, ...] = (None, False, [], {})


def audit_command(settings: Settings) -> click.Command:
    """Create the command `audit`."""

    @click.command("audit")
    @click.option("--since", default="", help="First day or time, UTC.")
    @click.option("--until", default="", help="Day or time to end before.")
    @click.option("--act", type=click.Choice(ACTS), help="Only acts of this kind.")
    @click.option("--subject", default="", help="Only acts on this key, group, job or lineage.")
    @click.option("--actor", default="", help="Only acts by this key, or user such as cli:maria.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, MAX_LIMIT))
    @click.option("--cursor", default="", help="Where the page before has ended.")
    @click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
    def audit(limit: int, *, as_json: bool, **values: str | None) -> None:
        """List what was done by an admin's right, the latest first."""
        page = _page(settings, loaded(AuditArgumentsSchema(), {**values, "limit": str(limit)}))
        if as_json:
            click.echo(json.dumps([to_dict(act) for act in page.acts], indent=2))
        else:
            click.echo(aligned([list(_COLUMNS), *map(_line, page.acts)]))
        if page.cursor is not None:
            click.echo(f"Earlier acts: --cursor {page.cursor}", err=True)
        tell_freshness(page.freshness)

    return audit


def _page(settings: Settings, query: AuditQuery) -> AuditPage:
    with (
        errors_as_messages(),
        closing(open_work_stores(settings.database_url)) as work,
        replica_of(settings) as replica,
    ):
        of_replica = None if replica is None else (replica.audit, replica.link)
        return AuditService(Reads(work.audit, StoreThreads(1), of_replica)).page(query)


def _line(act: AdminAct) -> list[str]:
    return [
        utc_text(act.at),
        act.actor.id,
        act.act,
        act.subject if act.subject_name is None else f"{act.subject_name} ({act.subject})",
        _change(act),
        act.actor.request_id or "-",
        act.actor.address or "-",
    ]


def _change(act: AdminAct) -> str:
    """Write what a change has changed, what was given, or what is gone."""
    before, after = act.before, act.after
    if before is not None and after is not None:
        return ", ".join(
            f"{name}: {_text(before.get(name))} -> {_text(value)}" for name, value in after.items()
        )
    ending = " -> gone" if after is None else ""
    only = {name: value for name, value in (after or before or {}).items() if value not in _NOTHING}
    return ", ".join(f"{name}: {_text(value)}{ending}" for name, value in only.items()) or "-"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
