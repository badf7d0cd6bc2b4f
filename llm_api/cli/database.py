"""The commands `flask --app wsgi db …`, and `python -m llm_api.cli.database`, the quick one."""

from datetime import UTC, datetime
from pathlib import Path

import click

from llm_api.cli.actors import command_line_actor
from llm_api.cli.calling.command import CommandGroup
from llm_api.cli.calling.exit_codes import json_text
from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.storage import StoreError
from llm_api.storage.sql.revision import has_newest_revision, sqlite_file
from llm_api.storage.sql.sqlite_backup import back_up


def database_commands(settings: Settings) -> CommandGroup:
    """Create the command group `db`."""
    group = CommandGroup("db", help="Manage the database schema.")

    @group.command("upgrade", examples=["db upgrade"])
    def upgrade(*, as_json: bool) -> None:
        """Migrate the database to the current schema."""
        is_current = migrated(settings)
        document = {"schema": "current" if is_current else "later"}
        click.echo(json_text(document) if as_json else _schema_text(is_current=is_current))

    @group.command("backup", examples=["db backup /backups/llm_api.db"])
    @click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
    def backup(path: Path, *, as_json: bool) -> None:
        """Copy the SQLite database to PATH, while the service goes on."""
        size = _back_up(settings.database_url, path)
        document = {"path": str(path), "bytes": size}
        click.echo(json_text(document) if as_json else f"The backup has {size:,} bytes.")

    @group.command("partition", examples=["db partition"])
    @click.option("--undo", is_flag=True, help="Put the rows back into one table, copying them.")
    def partition(*, undo: bool, as_json: bool) -> None:
        """Keep usage rows of PostgreSQL in partitions by months.

        The service goes on meanwhile. Run again, it makes the partitions that are missing.
        """
        is_changed = _partition(settings.database_url, undo=undo)
        state = "one table" if undo else "partitions by months"
        how = " now" if is_changed else ", as they were before"
        document = {"is_partitioned": not undo, "is_changed": is_changed}
        click.echo(json_text(document) if as_json else f"Usage rows are in {state}{how}.")

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
    click.echo(_schema_text(is_current=migrated(settings)))


def migrated(settings: Settings) -> bool:
    """Migrate the database; return whether its schema is the current one, and no later one.

    Raises ClickException.
    """
    return has_newest_revision(settings.database_url, PROJECT_ROOT) or _migrate(settings)


def _schema_text(*, is_current: bool) -> str:
    if is_current:
        return "The database has the current schema."
    return "The database has the schema of a later release, which works with this one."


def _migrate(settings: Settings) -> bool:
    # Not at the top: see `revision`.
    from llm_api.storage.sql import migrate  # noqa: PLC0415

    try:
        return migrate.upgrade(settings.database_url, PROJECT_ROOT, command_line_actor())
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def _partition(url: str, *, undo: bool) -> bool:
    from llm_api.storage.sql import partitioning  # noqa: PLC0415  # as `migrate`

    change = partitioning.unite_usage if undo else partitioning.partition_usage
    try:
        return change(url, datetime.now(UTC), command_line_actor())
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def _back_up(url: str, path: Path) -> int:
    database = sqlite_file(url)
    if database is None:
        raise click.ClickException(
            "DATABASE_URL names a server, which has a program of its own for backups: pg_dump,"
            " mysqldump or mariadb-dump; docs/backup.md has the commands."
        )
    try:
        return back_up(database, path)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
