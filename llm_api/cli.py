"""The commands of `flask --app wsgi`."""

import time

import click
from flask import Flask
from flask.cli import AppGroup

from llm_api.settings import Settings
from llm_api.storage import StoreError, migrate
from llm_api.upstream import local


def register_commands(app: Flask, settings: Settings) -> None:
    """Add the commands to the application."""
    database = AppGroup("db", help="The database's schema.")

    @database.command("upgrade")
    def upgrade() -> None:
        """Bring the database to the current schema."""
        try:
            migrate.upgrade(settings.database_url, settings.root)
        except StoreError as error:
            raise click.ClickException(str(error)) from error
        click.echo("The database has the current schema.")

    @app.cli.command("local-model")
    @click.option(
        "--port", default=local.DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65_535)
    )
    def local_model(port: int) -> None:
        """Run the bundled model by itself, for a development server or as a sidecar."""
        _run_local_model(settings, port)

    app.cli.add_command(database)


def _run_local_model(settings: Settings, port: int) -> None:
    key = settings.local_model.key if settings.local_model else None
    try:
        model = local.BundledModel(settings.root, port=port, key=key)
    except OSError as error:  # no weights, or the port is taken
        raise click.ClickException(str(error)) from error
    model.start()
    click.echo("The bundled model listens. The service finds it with these lines in .env:")
    click.echo(f"LOCAL_MODEL_URL={model.url}\nLOCAL_MODEL_KEY={model.key}")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        model.stop()
