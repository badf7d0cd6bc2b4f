"""The commands `flask --app wsgi db …`, and `python -m llm_api.cli.database`, the quick one."""

from datetime import UTC, datetime
from pathlib import Path

import click

from llm_api.cli.actors import command_line_actor
from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.storage import StoreError
from llm_api.storage.sql.revision import has_newest_revision, sqlite_file
from llm_api.storage.sql.sqlite_backup import back_up


def database_commands(settings: Settings) -> click.Group:
    """Create the command group `db`."""
    group = click.Group("db", help="Manage the database schema.")

    @group.command("upgrade")
    def upgrade() -> None:
        """Migrate the database to the current schema."""
        upgrade_database(settings)

    @group.command("backup")
    @click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
    def backup(path: Path) -> None:
        """Copy the SQLite database to PATH, while the service goes on."""
        _back_up(settings.database_url, path)

    @group.command("partition")
    @click.option("--undo", is_flag=True, help="Put the rows back into one table, copying them.")
    def partition(*, undo: bool) -> None:
        """Keep usage rows of PostgreSQL in partitions by months.

        The service goes on meanwhile. Run again, it makes the partitions that are missing.
        """
        _partition(settings.database_url, undo=undo)

    return group


@click.command()
def main() -> None:
    """Migrate the database to the current schema, as `make run` does before each start.

    Without the application, which Flask's command imports first: half of the time until the first
    answer was that.
    """
    upgrade_database(Settings.from_env())


def upgrade_database(settings: Settings) -> None:
    """Migrate the database to the current schema, and say so; raises ClickException."""
    is_current = has_newest_revision(settings.database_url, PROJECT_ROOT) or _migrate(settings)
    click.echo(
        "The database has the current schema."
        if is_current
        else "The database has the schema of a later release, which works with this one."
    )


def _migrate(settings: Settings) -> bool:
    # Not at the top: see `revision`.
    from llm_api.storage.sql import migrate  # noqa: PLC0415

    try:
        return migrate.upgrade(settings.database_url, PROJECT_ROOT, command_line_actor())
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def _partition(url: str, *, undo: bool) -> None:
    from llm_api.storage.sql import partitioning  # noqa: PLC0415  # as `migrate`

    change = partitioning.unite_usage if undo else partitioning.partition_usage
    try:
        is_changed = change(url, datetime.now(UTC), command_line_actor())
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    state = "one table" if undo else "partitions by months"
    click.echo(f"Usage rows are in {state}{' now' if is_changed else ', as they were before'}.")


def _back_up(url: str, path: Path) -> None:
    database = sqlite_file(url)
    if database is None:
        raise click.ClickException(
            "DATABASE_URL names a server, which has a program of its own for backups: pg_dump,"
            " mysqldump or mariadb-dump; docs/backup.md has the commands."
        )
    try:
        size = back_up(database, path)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"The backup has {size:,} bytes.")


if __name__ == "__main__":
    main()
