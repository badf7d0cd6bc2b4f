"""The command `flask --app wsgi keys show`: a key, and what is spent and left of its budgets."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from typing import Any

import click
from flask.cli import AppGroup

from llm_api.cli.tables import aligned
from llm_api.domain.access import ApiKey, KeyGroup
from llm_api.services.keys.service import KeyService
from llm_api.services.quotas.budget_states import BudgetReader, BudgetState
from llm_api.settings.settings import Settings
from llm_api.storage.factory import budgets_of, open_store
from llm_api.storage.threads import StoreThreads

_COLUMNS = ("of", "budget", "spent", "reserved", "left", "resets_at")


def add_show(
    group: AppGroup,
    settings: Settings,
    open_keys: Callable[[Settings], AbstractContextManager[KeyService]],
) -> None:
    """Add the command to a group; `open_keys` opens the key service, its errors are messages."""

    @group.command("show")
    @click.argument("named", metavar="KEY")
    @click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
    def show(named: str, *, as_json: bool) -> None:
        """Show a key, and what is spent and left of its budgets."""
        with open_keys(settings) as keys:
            key = keys.find(named)
            states = [state.to_dict() for state in budget_states(settings, key)]
            found = keys.to_dict(key) | {"budget_states": states}
        click.echo(json.dumps(found, indent=2) if as_json else budget_table(found))


def budget_states(settings: Settings, holder: ApiKey | KeyGroup) -> list[BudgetState]:
    """Read the states of the budgets that hold a key, or of a group's.

    There are none where no SQL store keeps them.
    """
    if settings.usage_store is not None:
        return []
    # A SQL store keeps nothing in the folder.
    with closing(open_store(settings.database_url, None, settings.root)) as usage:
        reader = BudgetReader(budgets_of(usage), StoreThreads(1))
        if isinstance(holder, KeyGroup):
            return reader.of_group(holder)
        return reader.of_key(holder)


def budget_table(shown: Mapping[str, Any]) -> str:
    """Write the properties of a key or group that are set, and below them its budgets."""
    states = shown["budget_states"]
    left_out = {"budget_states", "budgets"} if states else {"budget_states"}
    rows = [[name, _text(value)] for name, value in shown.items() if name not in left_out]
    text = aligned([row for row in rows if row[1]])
    if not states:
        return text
    budgets = [[str(state[name] or "never") for name in _COLUMNS] for state in states]
    return f"{text}\n\n{aligned([list(_COLUMNS), *budgets])}"


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {most}" for name, most in value.items())
    return str(value) if isinstance(value, str | bool) else ", ".join(map(str, value))
