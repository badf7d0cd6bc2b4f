"""The commands `flask --app wsgi keys …`."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from llm_api.cli.actors import command_line_actor
from llm_api.cli.groups import in_group
from llm_api.cli.key_budgets import add_show
from llm_api.cli.key_options import (
    NAME,
    OVERLAP,
    alteration,
    clear_option,
    new_key,
    property_options,
)
from llm_api.cli.opening import errors_as_messages, forgetting
from llm_api.cli.tables import aligned
from llm_api.services.keys.service import IssuedKey, KeyService
from llm_api.settings.settings import Settings
from llm_api.storage.factory import open_key_store
from llm_api.storage.threads import StoreThreads
from llm_api.web.request.context import EXTENSION, Services

_COLUMNS = ("id", "name", "state", "created_at", "expires_at")
_key_argument = click.argument("key", metavar="KEY")


def key_commands(settings: Settings) -> AppGroup:
    """Create the command group `keys`."""
    group = AppGroup("keys", help="Manage API keys. KEY is an id, or a name that no other key has.")
    for add in (_add_create, _add_list, _add_edit, _add_rotate, _add_switches, _add_delete):
        add(group, settings)
    add_show(group, settings, _service)
    return group


def _add_create(group: AppGroup, settings: Settings) -> None:
    @group.command("create")
    @click.argument("name", type=NAME)
    @property_options
    @click.option("--admin", "is_admin", is_flag=True, help="Allow it to manage keys.")
    def create(**options: Any) -> None:
        """Create a key and print its secret.

        It expires never and is for all models and routes, unless options say otherwise. The secret
        is not stored and cannot be printed again.
        """
        draft = new_key(in_group(settings, options))
        with _service(settings) as keys:
            _print(keys.issue(draft, command_line_actor()))


def _add_list(group: AppGroup, settings: Settings) -> None:
    @group.command("list")
    @click.option("--name", type=NAME, help="Only keys of this name.")
    @click.option("--json", "as_json", is_flag=True, help="Print all properties as JSON.")
    def list_keys(name: str | None, *, as_json: bool) -> None:
        """List all keys, the newest first."""
        with _service(settings) as keys:
            found = [keys.to_dict(key) for key in keys.all(name)]
        rows = [list(_COLUMNS), *([str(key[name] or "") for name in _COLUMNS] for key in found)]
        click.echo(json.dumps(found, indent=2) if as_json else aligned(rows))


def _add_edit(group: AppGroup, settings: Settings) -> None:
    @group.command("edit")
    @_key_argument
    @click.option("--name", type=NAME, help="Another name.")
    @property_options
    @click.option("--admin/--no-admin", "is_admin", default=None, help="Allow it to manage keys.")
    @clear_option
    def edit(key: str, **options: Any) -> None:
        """Change properties of a key, in every worker within a minute.

        What is not named stays. Models, routes, budgets and tags that are given replace those that
        were there.
        """
        alter = alteration(in_group(settings, options))
        with _service(settings) as keys:
            changed = keys.change(key, alter, command_line_actor())
            click.echo(json.dumps(keys.to_dict(changed), indent=2))


def _add_rotate(group: AppGroup, settings: Settings) -> None:
    @group.command("rotate")
    @_key_argument
    @click.option("--overlap", type=OVERLAP, default="24h", show_default=True)
    def rotate(key: str, overlap: timedelta) -> None:
        """Issue another secret for a key.

        The former one stays valid for the overlap, such as 24h, 7d or 0.
        """
        with _service(settings) as keys:
            _print(keys.rotate(key, command_line_actor(), overlap))


def _add_switches(group: AppGroup, settings: Settings) -> None:
    @group.command("disable")
    @_key_argument
    def disable(key: str) -> None:
        """Disable a key, in every worker within a minute."""
        with _service(settings) as keys:
            found = keys.disable(key, command_line_actor())
            click.echo(f"{found.name} ({found.id}) is disabled.", err=True)

    @group.command("enable")
    @_key_argument
    def enable(key: str) -> None:
        """Enable a key that was disabled, in every worker within a minute."""
        with _service(settings) as keys:
            found = keys.to_dict(keys.enable(key, command_line_actor()))
            click.echo(f"{found['name']} ({found['id']}) is {found['state']}.", err=True)


def _add_delete(group: AppGroup, settings: Settings) -> None:
    @group.command("delete")
    @_key_argument
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def delete(key: str, *, yes: bool) -> None:
        """Delete a key, in every worker within a minute.

        It cannot be brought back. Its usage stays, and so does its name in reports.
        """
        with _service(settings) as keys:
            found = keys.find(key)
            if not yes:
                click.confirm(f"Delete {found.name} ({found.id})?", abort=True, err=True)
            keys.delete(found.id, command_line_actor())
            click.echo(f"{found.name} ({found.id}) is deleted.", err=True)


@contextmanager
def _service(settings: Settings) -> Iterator[KeyService]:
    """Open the key service; its errors become messages."""
    with (
        errors_as_messages(),
        closing(open_key_store(settings.database_url)) as store,
        forgetting(settings) as forget,
    ):
        yield KeyService(store, StoreThreads(1), forget, has_model=_has_model)


def _has_model(name: str) -> bool:
    """Ask the catalogue of the application that the command belongs to."""
    services: Services | None = current_app.extensions.get(EXTENSION)
    return services is None or services.catalogue.has(name, asks=True)


def _print(issued: IssuedKey) -> None:
    for warning in issued.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(
        f"The key of {issued.key.name} ({issued.key.id}), which cannot be shown again:", err=True
    )
    click.echo(issued.secret)
