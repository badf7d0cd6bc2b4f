"""The commands of `flask --app wsgi` and of `llm-api`, each imported when it runs or is listed.

What they need beside the application (the doctor, reports, tables) is no worker's business: it was
2 MiB of each, and a twentieth of its start.
"""

from importlib import import_module

import click
from flask.cli import AppGroup

from llm_api.settings.settings import Settings

PROGRAM = "llm-api"  # how the program of `program.py` calls itself
# By its name, the module of a command and the function there that makes it.
COMMANDS = {
    "audit": ("audit", "audit_command"),
    "chat": ("chat", "chat_command"),
    "check-config": ("configuration", "check_config_command"),
    "db": ("database", "database_commands"),
    "doctor": ("doctor", "doctor_command"),
    "groups": ("groups", "group_commands"),
    "images": ("pictures", "image_commands"),
    "judge": ("judge", "judge_commands"),
    "keys": ("keys", "key_commands"),
    "lineage": ("lineage", "lineage_commands"),
    "local-model": ("local_model", "local_model_command"),
    "optimize": ("optimize", "optimize_command"),
    "usage": ("usage", "usage_commands"),
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
    module, maker = COMMANDS[name]
    command: click.Command = getattr(import_module(f"llm_api.cli.{module}"), maker)(settings)
    return command
