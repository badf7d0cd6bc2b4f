"""The command `flask --app wsgi check-config`."""

import click
from flask.cli import with_appcontext

from llm_api.settings.settings import Settings


def check_config_command(settings: Settings) -> click.Command:
    """Create the command."""

    @click.command("check-config")
    @with_appcontext  # an application is made of the files, and fails where one is wrong
    def check_config() -> None:
        """Check the configuration without connecting.

        Looks at the settings and the files in config/.
        """
        for sentence in settings.warnings:
            click.echo(sentence, err=True)
        click.echo("The configuration is valid.")

    return check_config
