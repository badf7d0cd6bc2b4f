"""The command `flask --app wsgi local-model`."""

import time

import click

from llm_api.settings.settings import Settings
from llm_api.upstream.bundled_model.model import DEFAULT_PORT, BundledModel


def local_model_command(settings: Settings) -> click.Command:
    """Create the command."""

    @click.command("local-model")
    @click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65_535))
    def local_model(port: int) -> None:
        """Run the bundled model on its own.

        For a development server, or as a sidecar of several installations.
        """
        _run(settings, port)

    return local_model


def _run(settings: Settings, port: int) -> None:
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
