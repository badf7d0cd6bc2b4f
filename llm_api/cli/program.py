"""The program `llm-api`, also `python -m llm_api`: the service and its commands."""

import os
import shutil
import sys
from collections.abc import Callable

import click
from click.shell_completion import CompletionItem, get_completion_class
from flask import Flask
from flask.cli import ScriptInfo

import llm_api
from llm_api.cli.calling.command import Command
from llm_api.cli.calling.exit_codes import json_text
from llm_api.cli.commands import COMMANDS, PROGRAM, make_command
from llm_api.cli.database import upgrade_database
from llm_api.settings.settings import HOME_FOLDER, PROJECT_ROOT, Settings

_HELP = """A self-hosted LLM service for image and video applications.

It is set up by environment variables, or a file .env in the current folder. What it keeps is in
instance/ there, or in INSTANCE_DIR; a folder config/ there is read in place of the one that it came
with, which `llm-api copy-config` copies.
"""
_COMPLETION_EXAMPLES = (
    "completion bash >> ~/.bashrc",
    'completion zsh > "${fpath[1]}/_llm-api"',
    "completion fish > ~/.config/fish/completions/llm-api.fish",
)
_COMPLETION_VARIABLE = "_LLM_API_COMPLETE"  # as click derives it from the program's name
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
            commands=[run, copy_config, completion],
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
        """List the commands, importing none: all of them take two seconds."""
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        rows = [(name, self._short_help(ctx, name, limit)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands, importing none, and options."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self._short_help(ctx, name, 80)) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def _short_help(self, ctx: click.Context, name: str, limit: int) -> str:
        listed = COMMANDS.get(_NAMES.get(name, name))
        if listed is not None:
            return listed.what
        command = super().get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(limit)


@click.command("copy-config", cls=Command, examples=["copy-config"])
def copy_config(*, as_json: bool) -> None:
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
    click.echo(json_text({"copied": "config"}) if as_json else "config/ is copied.")


@click.command("run", cls=Command, examples=["run"], has_json=False)
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


@click.command("completion", cls=Command, examples=_COMPLETION_EXAMPLES, has_json=False)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Write the script that completes commands, options, models and keys in SHELL.

    The script asks this program at Tab.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  # the shells above are those that click has
    script = kind(context.find_root().command, {}, PROGRAM, _COMPLETION_VARIABLE)
    # Not by source(), which asks for the version of the shell that may not be here.
    click.echo(script.source_template % script.source_vars())
