"""The commands of `flask --app wsgi`."""

import time

import click
from flask import Flask
from flask.cli import AppGroup

from llm_api.cli.doctor import doctor_command
from llm_api.cli.keys import key_commands
from llm_api.cli.usage import usage_commands
from llm_api.diagnostics.database import DatabaseChecks
from llm_api.diagnostics.results import State
from llm_api.settings.reader import OPEN_ACCESS, is_loopback
from llm_api.settings.settings import Settings, SettingsError
from llm_api.storage import StoreError
from llm_api.upstream.bundled_model.model import DEFAULT_PORT, BundledModel


def register_commands(app: Flask, settings: Settings) -> None:
    """Add the commands to the application; raises SettingsError for an open `flask run`."""
    _check_run(settings)
    for command in (
        _check_config_command(settings),
        _database_commands(settings),
        doctor_command(settings),
        key_commands(settings),
        _local_model_command(settings),
        usage_commands(settings),
    ):
        app.cli.add_command(command)


def _check_run(settings: Settings) -> None:
    """Refuse `flask run --host` with a public address while no key is required.

    The development server does not listen on BIND. Here is said, too, what gunicorn's start logs.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run":
        return
    address = f"{context.params.get('host')}:{context.params.get('port')}"
    is_open = not settings.access.requires_key and not is_loopback(address)
    if is_open and not settings.access.allows_open_access:
        raise SettingsError([OPEN_ACCESS])
    for sentence in (*settings.warnings, *_schema_problems(settings)):
        click.echo(sentence, err=True)


def _schema_problems(settings: Settings) -> list[str]:
    """Return what is wrong with the database, in one sentence; nothing for a store of others."""
    if settings.usage_store is not None:
        return []
    database = DatabaseChecks(settings.database_url, settings.root)
    results = [database.reachable()]
    if results[0].state is State.OK:
        results.append(database.schema())
    return [f"{result.found} {result.advice}" for result in results if result.state is State.FAIL]


def _check_config_command(settings: Settings) -> click.Command:
    @click.command("check-config")
    def check_config() -> None:
        """Check the configuration without connecting.

        Looks at the settings and the files in config/.
        """
        # Errors have been printed already: with wrong settings there is no application.
        for sentence in settings.warnings:
            click.echo(sentence, err=True)
        click.echo("The configuration is valid.")

    return check_config


def _database_commands(settings: Settings) -> AppGroup:
    group = AppGroup("db", help="Manage the database schema.")

    @group.command("upgrade")
    def upgrade() -> None:
        """Migrate the database to the current schema."""
        # Not at the top: Alembic is a seventh of the time in which a worker starts.
        from llm_api.storage.sql import migrate  # noqa: PLC0415

        try:
            migrate.upgrade(settings.database_url, settings.root)
        except StoreError as error:
            raise click.ClickException(str(error)) from error
        click.echo("The database has the current schema.")

    return group


def _local_model_command(settings: Settings) -> click.Command:
    @click.command("local-model")
    @click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65_535))
    def local_model(port: int) -> None:
        """Run the bundled model on its own.

        For a development server, or as a sidecar of several installations.
        """
        _run_local_model(settings, port)

    return local_model


def _run_local_model(settings: Settings, port: int) -> None:
    key = settings.local_model.key if settings.local_model else None
    try:
        model = BundledModel(settings.root, port=port, key=key)
    except OSError as error:  # no weights, or the port is in use
        raise click.ClickException(str(error)) from error
    model.start()
    click.echo("The bundled model listens. The service finds it with these lines in .env:")
    click.echo(f"LOCAL_MODEL_URL={model.url}\nLOCAL_MODEL_KEY={model.key}")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        model.stop()
