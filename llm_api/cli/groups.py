"""The commands `flask --app wsgi groups …`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import click
from flask.cli import AppGroup

from llm_api.cli.actors import command_line_actor
from llm_api.cli.key_budgets import budget_states, budget_table
from llm_api.cli.key_options import NAME, quota_options
from llm_api.cli.opening import errors_as_messages, forgetting
from llm_api.cli.tables import aligned
from llm_api.domain.access import KeyGroup, Limits
from llm_api.services.keys.group_service import GroupService, to_dict
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_work_stores
from llm_api.storage.threads import StoreThreads

_group_argument = click.argument("named", metavar="GROUP")
_CLEARED = {name.replace("_", "-"): name for name in (*Limits.__slots__, "budget")}


def group_commands(settings: Settings) -> AppGroup:
    """Create the command group `groups`."""
    group = AppGroup("groups", help="Manage groups of API keys. GROUP is an id or a name.")
    for add in (_add_create, _add_list, _add_show, _add_edit, _add_delete):
        add(group, settings)
    return group


def in_group(settings: Settings, options: dict[str, Any]) -> dict[str, Any]:
    """Return options of a key with the group that they name, if they name one."""
    if options["group"] is None:
        return options
    with group_service(settings) as groups:
        return {**options, "group": groups.find(options["group"])}


def _add_create(group: AppGroup, settings: Settings) -> None:
    @group.command("create")
    @click.argument("name", type=NAME)
    @quota_options
    def create(name: str, **options: Any) -> None:
        """Create a group, which keys join by `keys create --group` and `keys edit --group`."""
        draft = _altered(KeyGroup("", name), options)
        with group_service(settings) as groups:
            created = groups.create(draft, command_line_actor())
            click.echo(json.dumps(to_dict(created), indent=2))


def _add_list(group: AppGroup, settings: Settings) -> None:
    @group.command("list")
    @click.option("--json", "as_json", is_flag=True, help="Print all properties as JSON.")
    def list_groups(*, as_json: bool) -> None:
        """List all groups, by their names."""
        with group_service(settings) as groups:
            found = [to_dict(one) for one in groups.all()]
        cells = [[one["id"], one["name"], ", ".join(one["budgets"])] for one in found]
        rows = [["id", "name", "budgets"], *cells]
        click.echo(json.dumps(found, indent=2) if as_json else aligned(rows))


def _add_show(group: AppGroup, settings: Settings) -> None:
    @group.command("show")
    @_group_argument
    @click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
    def show(named: str, *, as_json: bool) -> None:
        """Show a group, its keys, and what is spent and left of its budgets."""
        with group_service(settings) as groups:
            found = groups.find(named)
            states = [state.to_dict() for state in budget_states(settings, found)]
            document = {**to_dict(found), "keys": groups.key_ids(found), "budget_states": states}
        click.echo(json.dumps(document, indent=2) if as_json else budget_table(document))


def _add_edit(group: AppGroup, settings: Settings) -> None:
    @group.command("edit")
    @_group_argument
    @click.option("--name", type=NAME, help="Another name.")
    @quota_options
    @click.option(
        "--clear",
        "cleared",
        type=click.Choice(list(_CLEARED)),
        multiple=True,
        help="Take a limit or the budgets away.",
    )
    def edit(named: str, cleared: tuple[str, ...], name: str | None, **options: Any) -> None:
        """Change properties of a group, for its keys in every worker within a minute.

        What is not named stays. Budgets that are given replace those that were there, and what was
        spent stays spent.
        """
        taken = {_CLEARED[one] for one in cleared}

        def alter(before: KeyGroup) -> KeyGroup:
            kept = Limits(
                *(None if one in taken else getattr(before.limits, one) for one in Limits.__slots__)
            )
            budgets = () if "budget" in taken else before.budgets
            found = replace(before, name=name or before.name, limits=kept, budgets=budgets)
            return _altered(found, options)

        with group_service(settings) as groups:
            changed = groups.change(named, alter, command_line_actor())
            click.echo(json.dumps(to_dict(changed), indent=2))


def _add_delete(group: AppGroup, settings: Settings) -> None:
    @group.command("delete")
    @_group_argument
    def delete(named: str) -> None:
        """Delete a group that has no keys; its usage stays in reports."""
        with group_service(settings) as groups:
            found = groups.delete(named, command_line_actor())
            click.echo(f"{found.name} ({found.id}) is deleted.", err=True)


def _altered(group: KeyGroup, options: Mapping[str, Any]) -> KeyGroup:
    """Return a group with the limits and budgets that were given."""
    limits = {name: options[name] for name in Limits.__slots__ if options[name] is not None}
    budgets = tuple(options["budgets"]) or group.budgets
    return replace(group, limits=replace(group.limits, **limits), budgets=budgets)


@contextmanager
def group_service(settings: Settings) -> Iterator[GroupService]:
    """Open the service of groups; its errors become messages."""
    with (
        errors_as_messages(),
        closing(open_work_stores(settings.database_url)) as work,
        forgetting(settings) as forget,
    ):
        yield GroupService(work.groups, StoreThreads(1), forget)
