"""The commands of `flask --app wsgi` and of `llm-api`, each imported when it runs or is listed.

What they need beside the application (the doctor, reports, tables) is no worker's business: it was
2 MiB of each, and a twentieth of its start.
"""

from importlib import import_module
from typing import NamedTuple

import click
from flask.cli import AppGroup

from llm_api.settings.settings import Settings

PROGRAM = "llm-api"  # how the program of `program.py` calls itself


class Listed(NamedTuple):
    """A command: its module and the function there that makes it, and what it does, for `--help`.

    The sentence is that of the command itself, which is imported for it only where it runs.
    """

    module: str
    maker: str
    what: str


COMMANDS = {
    "audit": Listed("audit", "audit_command", "List what was done by an admin's right."),
    "chat": Listed(
        "chat", "chat_command", "Ask a model PROMPT, and write its answer as it comes in."
    ),
    "check-config": Listed(
        "configuration", "check_config_command", "Check the configuration without connecting."
    ),
    "db": Listed("database", "database_commands", "Manage the database schema."),
    "doctor": Listed("doctor", "doctor_command", "Check the installation and advise on fixes."),
    "groups": Listed("groups", "group_commands", "Manage groups of API keys."),
    "images": Listed("pictures", "image_commands", "Make and edit pictures."),
    "judge": Listed("judge", "judge_commands", "Judge pictures, and watch over the judge."),
    "keys": Listed("keys", "key_commands", "Manage API keys."),
    "lineage": Listed(
        "lineage", "lineage_commands", "Report what is learned from feedback and verdicts."
    ),
    "local-model": Listed(
        "local_model", "local_model_command", "Run the bundled model on its own."
    ),
    "optimize": Listed("optimize", "optimize_command", "Rewrite PROMPT, or the prompts of a file."),
    "usage": Listed("usage", "usage_commands", "Report calls, tokens and cost, or show one call."),
    "videos": Listed("films", "video_commands", "Have films made, and look after them."),
}


class Commands(AppGroup):
    """The commands of an application, beside those of Flask."""

    def __init__(self, settings: Settings) -> None:
        """Create the group; raises SettingsError for an open `flask run`."""
        super().__init__("llm_api")
        self._settings = settings
        context = click.get_current_context(silent=True)
        if context is not None and context.info_name == "run":
            import_module("llm_api.cli.development_server").check_run(settings, context.params)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in order."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return make_command(cmd_name, self._settings)


def make_command(name: str, settings: Settings) -> click.Command:
    """Make one of COMMANDS."""
    listed = COMMANDS[name]
    module = import_module(f"llm_api.cli.{listed.module}")
    command: click.Command = getattr(module, listed.maker)(settings)
    return command
