"""What commands share that open the service's stores: errors as messages, and who must forget."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import click
import marshmallow as ma

from llm_api.cli.calling.exit_codes import FAILED, WRONG_USAGE, CommandFailed, exit_code_of
from llm_api.errors import ApiError
from llm_api.services.keys.authenticator import STALE_S
from llm_api.settings.settings import Settings
from llm_api.storage import StoreError
from llm_api.storage.factory import open_replica, open_shared_keys
from llm_api.storage.reads import Freshness
from llm_api.storage.sql.replica import SqlReplica


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """End the command with the sentence of an error of a service or a store."""
    try:
        yield
    except ApiError as error:
        raise failed(error) from error
    except StoreError as error:
        raise CommandFailed(str(error), FAILED) from error


def failed(error: ApiError) -> CommandFailed:
    """Return the failure for an error of a service, with what its store has said."""
    cause = error.__cause__
    why = f" {cause}" if isinstance(cause, StoreError) else ""
    # A store that is away is this machine's own: nothing refills, as a limit does.
    code = exit_code_of(error.status, error.reason, is_retryable=False)
    return CommandFailed(error.message + why, code)


@contextmanager
def forgetting(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Lend what has every worker forget what it knows of a key; a command itself knows nothing."""
    shared = open_shared_keys(settings.ratelimit_storage_uri, STALE_S)
    if shared is None:
        yield _forget_nothing
        return
    with closing(shared):
        yield shared.revoke


@contextmanager
def replica_of(settings: Settings) -> Iterator[SqlReplica | None]:
    """Lend the replica of an installation; None where there is none."""
    with errors_as_messages():
        replica = open_replica(settings.reports_database_url)
    try:
        yield replica
    finally:
        if replica is not None:
            replica.close()


def tell_freshness(freshness: Freshness | None) -> None:
    """Print on standard error where something was read; nothing where there is no replica."""
    if freshness is None:
        return
    behind = "" if freshness.lag_s is None else f", which is {freshness.lag_s:g} s behind"
    away = "Read from the primary: the replica is away."
    click.echo(f"Read from the replica{behind}." if freshness.is_replica else away, err=True)


def loaded(schema: ma.Schema, values: Mapping[str, Any]) -> Any:
    """Return what a schema makes of options; ends the command with what is wrong with them."""
    try:
        return schema.load(values)
    except ma.ValidationError as error:
        problems = (f"{name}: {found[0]}" for name, found in error.messages_dict.items())
        raise CommandFailed("\n".join(problems), WRONG_USAGE) from error


def _forget_nothing(_: str) -> None:
    """Forget no key: nothing is shared."""
