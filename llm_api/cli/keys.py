"""The commands `flask --app wsgi keys …`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
from flask.cli import AppGroup

from llm_api.domain.access import ApiKey, Limits
from llm_api.errors import ApiError
from llm_api.services.keys import formats
from llm_api.services.keys.formats import TextFormat
from llm_api.services.keys.service import IssuedKey, KeyService
from llm_api.settings.settings import Settings
from llm_api.storage import StoreError
from llm_api.storage.factory import open_key_store
from llm_api.storage.threads import StoreThreads

_COLUMNS = ("id", "name", "state", "created_at", "expires_at")
_AT_LEAST_ONE = click.IntRange(1, 1_000_000_000)


class Written(click.ParamType[Any]):
    """A text in one of the forms of `key_words`."""

    name = "text"

    def __init__(self, form: TextFormat) -> None:
        """Take the form."""
        self._form = form

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Read the text."""
        if not isinstance(value, str):
            return value
        try:
            return self._form(value)
        except ValueError:
            self.fail(f"must be {self._form.right}.", param, context)


_NAME, _END, _OVERLAP = map(Written, (formats.NAME, formats.END, formats.OVERLAP))
_MODEL, _ROUTE, _TAG = map(Written, (formats.MODEL, formats.ROUTE, formats.TAG))
_REQUESTS, _BUDGET = map(Written, (formats.REQUESTS, formats.BUDGET))


def key_commands(settings: Settings) -> AppGroup:
    """Make the group of commands."""
    group = AppGroup("keys", help="API keys for callers.")
    _add_create(group, settings)
    _add_list(group, settings)
    _add_rotate(group, settings)
    _add_disable(group, settings)
    return group


def _add_create(group: AppGroup, settings: Settings) -> None:
    @group.command("create")
    @click.argument("name", type=_NAME)
    @click.option("--expires", "expires_at", type=_END, help="90d, 12h, or a moment; never.")
    @click.option("--admin", "is_admin", is_flag=True, help="Let it look after keys.")
    @click.option("--model", "models", type=_MODEL, multiple=True, help="One that it may use; all.")
    @click.option("--route", "routes", type=_ROUTE, multiple=True, help="Such as /v1/*; all.")
    @click.option("--requests", type=_REQUESTS, help="Such as 60/minute;5000/day.")
    @click.option("--tokens-per-minute", type=_AT_LEAST_ONE)
    @click.option("--concurrent-requests", type=_AT_LEAST_ONE)
    @click.option("--concurrent-streams", type=_AT_LEAST_ONE)
    @click.option("--budget", "budgets", type=_BUDGET, multiple=True, help='Such as "5 CNY/day".')
    @click.option("--tag", "tags", type=_TAG, multiple=True, help="A label for all of its calls.")
    def create(**options: Any) -> None:
        """Make a key and print it, this once."""
        if len(options["tags"]) > formats.MAX_TAGS:
            raise click.BadParameter(
                f"at most {formats.MAX_TAGS} can be given.", param_hint="--tag"
            )
        limits = Limits(**{name: options.pop(name) for name in Limits.__slots__})
        allowed: dict[str, Any] = {name: options.pop(name) or None for name in ("models", "routes")}
        with _service(settings) as keys:
            _show(keys.issue(ApiKey("", limits=limits, **allowed, **options)))


def _add_list(group: AppGroup, settings: Settings) -> None:
    @group.command("list")
    @click.option("--json", "as_json", is_flag=True, help="Print all that is known of each.")
    def list_keys(*, as_json: bool) -> None:
        """List all keys, the newest first."""
        with _service(settings) as keys:
            found = [keys.described(key) for key in keys.all()]
        click.echo(json.dumps(found, indent=2) if as_json else _as_table(found))


def _add_rotate(group: AppGroup, settings: Settings) -> None:
    @group.command("rotate")
    @click.argument("key_id", metavar="ID")
    @click.option("--overlap", type=_OVERLAP, default="24h", show_default=True)
    def rotate(key_id: str, overlap: timedelta) -> None:
        """Make another secret for a key; the old one is good for the overlap."""
        with _service(settings) as keys:
            _show(keys.rotate(key_id, overlap))


def _add_disable(group: AppGroup, settings: Settings) -> None:
    @group.command("disable")
    @click.argument("key_id", metavar="ID")
    def disable(key_id: str) -> None:
        """Let a key open nothing any more, in every worker within a minute."""
        with _service(settings) as keys:
            click.echo(f"{keys.disable(key_id).id} opens nothing any more.", err=True)


@contextmanager
def _service(settings: Settings) -> Iterator[KeyService]:
    """Open the service of keys; what it raises becomes a message."""
    try:
        store = open_key_store(settings.database_url)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    try:
        yield KeyService(store, StoreThreads(1))
    except ApiError as error:
        why = f" {error.__cause__}" if isinstance(error.__cause__, StoreError) else ""
        raise click.ClickException(error.message + why) from error
    finally:
        store.close()


def _show(issued: IssuedKey) -> None:
    click.echo(f"The key of {issued.key.name} ({issued.key.id}), shown this once:", err=True)
    click.echo(issued.secret)


def _as_table(keys: Sequence[dict[str, Any]]) -> str:
    rows = [list(_COLUMNS), *([str(key[name] or "") for name in _COLUMNS] for key in keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
