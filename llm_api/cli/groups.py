"""The commands `groups …`."""

from typing import Any

import click

from llm_api.cli.administering import groups_of
from llm_api.cli.calling.command import CommandGroup, Decorator
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_names
from llm_api.cli.key_budgets import budget_table
from llm_api.cli.key_options import (
    NAME,
    changed_properties,
    clear_option,
    new_properties,
    quota_options,
)
from llm_api.cli.tables import aligned
from llm_api.settings.settings import Settings


def group_commands(settings: Settings) -> CommandGroup:
    """Create the command group `groups`."""
    group = CommandGroup("groups", help="Manage groups of API keys. GROUP is an id or a name.")
    argument = click.argument(
        "named", metavar="GROUP", shell_complete=complete_names(settings, "/api/v1/groups")
    )
    _add_create(group, settings)
    _add_list(group, settings)
    for add in (_add_show, _add_edit, _add_delete):
        add(group, settings, argument)
    return group


def _add_create(group: CommandGroup, settings: Settings) -> None:
    @group.command("create", examples=('groups create video --budget "200 CNY/month"',))
    @click.argument("name", type=NAME)
    @quota_options
    @service_options(settings)
    def create(target: Target, *, as_json: bool, **options: Any) -> None:
        """Create a group, which keys join by `keys create --group` and `keys edit --group`.

        It is written as JSON.
        """
        del as_json  # it is JSON in any case
        properties = new_properties(options)
        with groups_of(target) as groups:
            click.echo(json_text(groups.create(properties)))


def _add_list(group: CommandGroup, settings: Settings) -> None:
    @group.command("list", examples=("groups list",))
    @service_options(settings)
    def list_groups(target: Target, *, as_json: bool) -> None:
        """List all groups, by their names."""
        with groups_of(target) as groups:
            found = groups.all()
        cells = [[one["id"], one["name"], ", ".join(one["budgets"])] for one in found]
        rows = [["id", "name", "budgets"], *cells]
        click.echo(json_text(found) if as_json else aligned(rows))


def _add_show(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("show", examples=("groups show video",))
    @argument
    @service_options(settings)
    def show(named: str, target: Target, *, as_json: bool) -> None:
        """Show a group, its keys, and what is spent and left of its budgets."""
        with groups_of(target) as groups:
            found = groups.show(named)
        click.echo(json_text(found) if as_json else budget_table(found))


def _add_edit(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("edit", examples=('groups edit video --budget "300 CNY/month"',))
    @argument
    @click.option("--name", type=NAME, help="Another name.")
    @quota_options
    @clear_option(is_group=True)
    @service_options(settings)
    def edit(named: str, target: Target, *, as_json: bool, **options: Any) -> None:
        """Change properties of a group, for its keys in every worker within a minute.

        What is not named stays. Budgets that are given replace those that were there, and what was
        spent stays spent. What it is then is written as JSON.
        """
        del as_json  # it is JSON in any case
        properties = changed_properties(options)
        with groups_of(target) as groups:
            click.echo(json_text(groups.edit(named, properties)))


def _add_delete(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("delete", examples=("groups delete video",))
    @argument
    @service_options(settings)
    def delete(named: str, target: Target, *, as_json: bool) -> None:
        """Delete a group that has no keys; its usage stays in reports."""
        with groups_of(target) as groups:
            found = groups.delete(named)
        if as_json:
            click.echo(json_text(found))
        click.echo(f"{found['name']} ({found['id']}) is deleted.", err=True)
