"""The commands `flask --app wsgi keys …`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from llm_api.cli.key_budgets import add_show
from llm_api.cli.tables import aligned
from llm_api.domain.access import ApiKey, Limits
from llm_api.errors import ApiError
from llm_api.services.keys import formats
from llm_api.services.keys.authenticator import STALE_S
from llm_api.services.keys.formats import TextFormat
from llm_api.services.keys.service import IssuedKey, KeyService
from llm_api.settings.settings import Settings
from llm_api.storage import StoreError
from llm_api.storage.factory import open_key_store, open_shared_keys
from llm_api.storage.threads import StoreThreads
from llm_api.web.request.context import EXTENSION, Services

_COLUMNS = ("id", "name", "state", "created_at", "expires_at")
_AT_LEAST_ONE = click.IntRange(1, 1_000_000_000)


class FormattedText(click.ParamType[Any]):
    """A text in one of the formats of `services.keys.formats`."""

    name = "text"

    def __init__(self, text_format: TextFormat) -> None:
        """Accept texts in a format."""
        self._format = text_format

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Parse `value`; the message of a wrong one names `param`."""
        if not isinstance(value, str):
            return value
        try:
            return self._format(value)
        except ValueError:
            self.fail(f"must be {self._format.expected}.", param, context)


_NAME, _END, _OVERLAP = map(FormattedText, (formats.NAME, formats.END, formats.OVERLAP))
_MODEL, _ROUTE, _TAG = map(FormattedText, (formats.MODEL, formats.ROUTE, formats.TAG))
_REQUESTS, _BUDGET = map(FormattedText, (formats.REQUESTS, formats.BUDGET))


def key_commands(settings: Settings) -> AppGroup:
    """Create the command group `keys`."""
    group = AppGroup("keys", help="Manage API keys.")
    _add_create(group, settings)
    _add_list(group, settings)
    add_show(group, settings, _service)
    _add_rotate(group, settings)
    _add_disable(group, settings)
    return group


def _add_create(group: AppGroup, settings: Settings) -> None:
    @group.command("create")
    @click.argument("name", type=_NAME)
    @click.option(
        "--expires", "expires_at", type=_END, help="90d, 12h or a time.  [default: never]"
    )
    @click.option("--admin", "is_admin", is_flag=True, help="Allow it to manage keys.")
    @click.option(
        "--model", "models", type=_MODEL, multiple=True, help="Allowed model.  [default: all]"
    )
    @click.option(
        "--route",
        "routes",
        type=_ROUTE,
        multiple=True,
        help="Allowed route, such as /v1/*.  [default: all]",
    )
    @click.option("--requests", type=_REQUESTS, help="Limit such as 60/minute;5000/day.")
    @click.option("--tokens-per-minute", type=_AT_LEAST_ONE, help="Limit of tokens.")
    @click.option("--concurrent-requests", type=_AT_LEAST_ONE, help="Limit of calls.")
    @click.option("--concurrent-streams", type=_AT_LEAST_ONE, help="Limit of streams.")
    @click.option("--images-per-minute", type=_AT_LEAST_ONE, help="Limit of pictures.")
    @click.option(
        "--budget", "budgets", type=_BUDGET, multiple=True, help='Budget such as "5 CNY/day".'
    )
    @click.option("--tag", "tags", type=_TAG, multiple=True, help="Label for all of its calls.")
    def create(**options: Any) -> None:
        """Create a key and print its secret.

        The secret is not stored and cannot be printed again.
        """
        draft = _draft(**options)
        with _service(settings) as keys:
            _print(keys.issue(draft))


def _draft(*, models: Sequence[str], routes: Sequence[str], **options: Any) -> ApiKey:
    """Return the key that the options of `keys create` describe; none of a list is all."""
    if len(options["tags"]) > formats.MAX_TAGS:
        raise click.BadParameter(f"at most {formats.MAX_TAGS} can be given.", param_hint="--tag")
    limits = Limits(**{name: options.pop(name) for name in Limits.__slots__})
    return ApiKey(
        "", models=tuple(models) or None, routes=tuple(routes) or None, limits=limits, **options
    )


def _add_list(group: AppGroup, settings: Settings) -> None:
    @group.command("list")
    @click.option("--json", "as_json", is_flag=True, help="Print all properties as JSON.")
    def list_keys(*, as_json: bool) -> None:
        """List all keys, the newest first."""
        with _service(settings) as keys:
            found = [keys.to_dict(key) for key in keys.all()]
        rows = [list(_COLUMNS), *([str(key[name] or "") for name in _COLUMNS] for key in found)]
        click.echo(json.dumps(found, indent=2) if as_json else aligned(rows))


def _add_rotate(group: AppGroup, settings: Settings) -> None:
    @group.command("rotate")
    @click.argument("key_id", metavar="ID")
    @click.option("--overlap", type=_OVERLAP, default="24h", show_default=True)
    def rotate(key_id: str, overlap: timedelta) -> None:
        """Issue another secret for a key.

        The former one stays valid for the overlap, such as 24h, 7d or 0.
        """
        with _service(settings) as keys:
            _print(keys.rotate(key_id, overlap))


def _add_disable(group: AppGroup, settings: Settings) -> None:
    @group.command("disable")
    @click.argument("key_id", metavar="ID")
    def disable(key_id: str) -> None:
        """Disable a key, in every worker within a minute."""
        with _service(settings) as keys:
            click.echo(f"{keys.disable(key_id).id} is disabled.", err=True)


@contextmanager
def _service(settings: Settings) -> Iterator[KeyService]:
    """Open the key service; its errors become messages."""
    try:
        store = open_key_store(settings.database_url)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    shared = open_shared_keys(settings.ratelimit_storage_uri, STALE_S)
    try:
        forget = _forget_nothing if shared is None else shared.revoke
        yield KeyService(store, StoreThreads(1), forget, has_model=_has_model)
    except ApiError as error:
        why = f" {error.__cause__}" if isinstance(error.__cause__, StoreError) else ""
        raise click.ClickException(error.message + why) from error
    finally:
        store.close()
        if shared is not None:
            shared.close()


def _forget_nothing(_: str) -> None:
    """Forget no key: a command has no cache, and shares none with others."""


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
