"""The commands `keys …`."""

from collections.abc import Mapping
from typing import Any

import click

from llm_api.cli.administering import keys_of
from llm_api.cli.calling.command import CommandGroup, Decorator
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_names
from llm_api.cli.key_budgets import budget_table
from llm_api.cli.key_options import (
    NAME,
    OVERLAP,
    changed_properties,
    clear_option,
    new_properties,
    property_options,
)
from llm_api.cli.tables import aligned
from llm_api.settings.settings import Settings

_COLUMNS = ("id", "name", "state", "created_at", "expires_at")


def key_commands(settings: Settings) -> CommandGroup:
    """Create the command group `keys`."""
    group = CommandGroup(
        "keys", help="Manage API keys. KEY is an id, or a name that no other key has."
    )
    key = click.argument("key", shell_complete=complete_names(settings, "/api/v1/keys"))
    _add_create(group, settings)
    _add_list(group, settings)
    for add in (_add_show, _add_edit, _add_rotate, _add_switches, _add_delete):
        add(group, settings, key)
    return group


def _add_create(group: CommandGroup, settings: Settings) -> None:
    @group.command(
        "create",
        examples=('keys create shop --expires 90d --requests 60/minute --budget "5 CNY/day"',),
    )
    @click.argument("name", type=NAME)
    @property_options
    @click.option("--admin", "is_admin", is_flag=True, help="Allow it to manage keys.")
    @service_options(settings)
    def create(target: Target, *, as_json: bool, **options: Any) -> None:
        """Create a key and print its secret.

        It expires never and is for all models and routes, unless options say otherwise. The secret
        is not stored and cannot be printed again.
        """
        properties = new_properties(options)
        with keys_of(target) as keys:
            _print(keys.create(properties), as_json=as_json)


def _add_list(group: CommandGroup, settings: Settings) -> None:
    @group.command("list", examples=("keys list",))
    @click.option("--name", type=NAME, help="Only keys of this name.")
    @service_options(settings)
    def list_keys(name: str | None, target: Target, *, as_json: bool) -> None:
        """List all keys, the newest first."""
        with keys_of(target) as keys:
            found = keys.all(name)
        rows = [list(_COLUMNS), *([str(key[name] or "") for name in _COLUMNS] for key in found)]
        click.echo(json_text(found) if as_json else aligned(rows))


def _add_show(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("show", examples=("keys show shop",))
    @argument
    @service_options(settings)
    def show(key: str, target: Target, *, as_json: bool) -> None:
        """Show a key, and what is spent and left of its budgets."""
        with keys_of(target) as keys:
            found = keys.show(key)
        click.echo(json_text(found) if as_json else budget_table(found))


def _add_edit(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("edit", examples=("keys edit shop --requests 120/minute --clear budget",))
    @argument
    @click.option("--name", type=NAME, help="Another name.")
    @property_options
    @click.option("--admin/--no-admin", "is_admin", default=None, help="Allow it to manage keys.")
    @clear_option()
    @service_options(settings)
    def edit(key: str, target: Target, *, as_json: bool, **options: Any) -> None:
        """Change properties of a key, in every worker within a minute.

        What is not named stays. Models, routes, budgets and tags that are given replace those that
        were there. What it is then is written as JSON.
        """
        del as_json  # it is JSON in any case
        properties = changed_properties(options)
        with keys_of(target) as keys:
            click.echo(json_text(keys.edit(key, properties)))


def _add_rotate(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("rotate", examples=("keys rotate shop --overlap 7d",))
    @argument
    @click.option("--overlap", type=OVERLAP, default="24h", show_default=True)
    @service_options(settings)
    def rotate(key: str, overlap: str, target: Target, *, as_json: bool) -> None:
        """Issue another secret for a key.

        The former one stays valid for the overlap, such as 24h, 7d or 0.
        """
        with keys_of(target) as keys:
            _print(keys.rotate(key, overlap), as_json=as_json)


def _add_switches(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("disable", examples=("keys disable shop",))
    @argument
    @service_options(settings)
    def disable(key: str, target: Target, *, as_json: bool) -> None:
        """Disable a key, in every worker within a minute."""
        _switch(target, key, is_enabled=False, as_json=as_json)

    @group.command("enable", examples=("keys enable shop",))
    @argument
    @service_options(settings)
    def enable(key: str, target: Target, *, as_json: bool) -> None:
        """Enable a key that was disabled, in every worker within a minute."""
        _switch(target, key, is_enabled=True, as_json=as_json)


def _add_delete(group: CommandGroup, settings: Settings, argument: Decorator) -> None:
    @group.command("delete", examples=("keys delete shop --yes",))
    @argument
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @service_options(settings)
    def delete(key: str, target: Target, *, yes: bool, as_json: bool) -> None:
        """Delete a key, in every worker within a minute.

        It cannot be brought back. Its usage stays, and so does its name in reports.
        """
        with keys_of(target) as keys:
            found = keys.show(key)
            if not yes:
                click.confirm(f"Delete {found['name']} ({found['id']})?", abort=True, err=True)
            deleted = keys.delete(found["id"])
        if as_json:
            click.echo(json_text(deleted))
        click.echo(f"{found['name']} ({found['id']}) is deleted.", err=True)


def _switch(target: Target, key: str, *, is_enabled: bool, as_json: bool) -> None:
    with keys_of(target) as keys:
        found = keys.switch(key, is_enabled=is_enabled)
    if as_json:
        click.echo(json_text(found))
    click.echo(f"{found['name']} ({found['id']}) is {found['state']}.", err=True)


def _print(issued: Mapping[str, Any], *, as_json: bool) -> None:
    for warning in issued.get("warnings", ()):
        click.echo(f"Warning: {warning}", err=True)
    click.echo(
        f"The key of {issued['name']} ({issued['id']}), which cannot be shown again:", err=True
    )
    click.echo(json_text(issued) if as_json else issued["secret"])
