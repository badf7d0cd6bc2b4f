"""The commands `flask --app wsgi db …`, and `python -m llm_api.cli.database`, the quick one."""

import click

from llm_api.settings.settings import Settings
from llm_api.storage import StoreError
from llm_api.storage.sql.revision import has_newest_revision


def database_commands(settings: Settings) -> click.Group:
    """Create the command group `db`."""
    group = click.Group("db", help="Manage the database schema.")

    @group.command("upgrade")
    def upgrade() -> None:
        """Migrate the database to the current schema."""
        _upgrade(settings)

    return group


@click.command()
def main() -> None:
    """Migrate the database to the current schema, as `make run` does before each start.

    Without the application, which Flask's command imports first: half of the time until the first
    answer was that.
    """
    _upgrade(Settings.from_env())


def _upgrade(settings: Settings) -> None:
    if not has_newest_revision(settings.database_url, settings.root):
        _migrate(settings)
    click.echo("The database has the current schema.")


def _migrate(settings: Settings) -> None:
    # Not at the top: see `revision`.
    from llm_api.storage.sql import migrate  # noqa: PLC0415

    try:
        migrate.upgrade(settings.database_url, settings.root)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
