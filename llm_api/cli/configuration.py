"""The command `flask --app wsgi check-config`."""

import click

from llm_api.settings.settings import Settings


def check_config_command(settings: Settings) -> click.Command:
    """Create the command."""

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
