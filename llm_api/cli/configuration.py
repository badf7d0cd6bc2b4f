"""The command `flask --app wsgi check-config`."""

import click
from flask.cli import with_appcontext

from llm_api.cli.calling.command import Command
from llm_api.cli.calling.exit_codes import json_text
from llm_api.settings.settings import Settings


def check_config_command(settings: Settings) -> click.Command:
    """Create the command."""

    @click.command("check-config", cls=Command, examples=["check-config"])
    @with_appcontext  # an application is made of the files, and fails where one is wrong
    def check_config(*, as_json: bool) -> None:
        """Check the configuration without connecting.

        Looks at the settings and the files in config/.
        """
        for sentence in settings.warnings:
            click.echo(sentence, err=True)
        document = {"is_valid": True, "warnings": list(settings.warnings)}
        click.echo(json_text(document) if as_json else "The configuration is valid.")

    return check_config
