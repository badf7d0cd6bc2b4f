"""Checks before `flask run`, the development server."""

from collections.abc import Mapping
from typing import Any

import click

from llm_api.diagnostics.database import DatabaseChecks
from llm_api.diagnostics.results import State
from llm_api.settings.reader import OPEN_ACCESS, is_loopback
from llm_api.settings.settings import PROJECT_ROOT, Settings, SettingsError


def check_run(settings: Settings, options: Mapping[str, Any]) -> None:
    """Refuse `flask run --host` with a public address while no key is required.

    The development server does not listen on BIND. Here is said, too, what gunicorn's start logs.
    Raises SettingsError.
    """
    address = f"{options.get('host')}:{options.get('port')}"
    is_open = not settings.access.requires_key and not is_loopback(address)
    if is_open and not settings.access.allows_open_access:
        raise SettingsError([OPEN_ACCESS])
    for sentence in (*settings.warnings, *_schema_problems(settings)):
        click.echo(sentence, err=True)


def _schema_problems(settings: Settings) -> list[str]:
    """Return what is wrong with the database, in one sentence; nothing for a store of others."""
    if settings.usage_store is not None:
        return []
    database = DatabaseChecks(settings.database_url, PROJECT_ROOT)
    results = [database.reachable()]
    if results[0].state is State.OK:
        results.append(database.schema())
    return [f"{result.found} {result.advice}" for result in results if result.state is State.FAIL]
