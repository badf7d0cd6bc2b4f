"""The program `llm-api`, also `python -m llm_api`: the service and its commands."""

import os
import shutil
import sys
from collections.abc import Callable

import click
from flask import Flask
from flask.cli import ScriptInfo

import llm_api
from llm_api.cli.commands import COMMANDS, PROGRAM, make_command
from llm_api.cli.database import upgrade_database
from llm_api.settings.settings import HOME_FOLDER, PROJECT_ROOT, Settings, SettingsError

_HELP = """A self-hosted LLM service for image and video applications.

It is set up by environment variables, or a file .env in the current folder. What it keeps is in
instance/ there, or in INSTANCE_DIR; a folder config/ there is read in place of the one that it came
with, which `llm-api copy-config` copies.
"""
# What `flask --app wsgi` calls otherwise.
_NAMES = {"check": "check-config"}


class Program(click.Group):
    """All commands of `flask --app wsgi` that are ours, and `run`.

    Unlike Flask's group it builds the application for those commands only that need it.
    """

    def __init__(self, create_app: Callable[[Settings], Flask]) -> None:
        """Create the group; `create_app` builds the application."""
        application = ScriptInfo(create_app=lambda: create_app(Settings.from_env()))
        super().__init__(
            PROGRAM,
            help=_HELP,
            commands=[run, copy_config],
            context_settings={"obj": application},
        )
        click.version_option(llm_api.__version__, package_name="llm_api")(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in order."""
        return sorted({*super().list_commands(ctx), *COMMANDS, *_NAMES} - {*_NAMES.values()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is none of that name. Raises SettingsError."""
        name = _NAMES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return make_command(name, Settings.from_env())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, by their names alone where the settings are wrong."""
        try:
            super().format_commands(ctx, formatter)
        except SettingsError as error:
            with formatter.section("Commands"):
                formatter.write_text(", ".join(self.list_commands(ctx)))
            formatter.write_paragraph()
            formatter.write(f"{error.message}\n")


@click.command("copy-config")
def copy_config() -> None:
    """Copy config/, with models, prices and profiles, into the current folder.

    It is read in place of the installed one then, and may be changed.
    """
    target = HOME_FOLDER / "config"
    try:
        shutil.copytree(PROJECT_ROOT / "config", target)
    except FileExistsError as error:
        raise click.ClickException("There is a config/ in this folder already.") from error
    except OSError as error:
        raise click.ClickException(f"config/ cannot be written: {error.strerror}.") from error
    click.echo("config/ is copied.")


@click.command("run")
@click.option(
    "--migrate/--no-migrate",
    default=True,
    help="Whether the database is brought to the current schema before.  [default: --migrate]",
)
def run(*, migrate: bool) -> None:
    """Migrate the database, and serve.

    Listens on BIND with WEB_CONCURRENCY workers, under gunicorn. SIGHUP reloads, SIGTERM ends it.
    """
    settings = Settings.from_env()  # wrong ones are told before anything is done
    if migrate:
        upgrade_database(settings)
    serve = ["-m", "gunicorn", "-c", str(PROJECT_ROOT / "gunicorn.conf.py"), "wsgi:app"]
    os.execv(sys.executable, [sys.executable, *serve])  # noqa: S606  # our own command
