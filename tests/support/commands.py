"""Runs the commands of `flask --app wsgi` in this process."""

from dataclasses import dataclass

from flask import Flask

from llm_api.cli.commands import Commands
from llm_api.settings.settings import Settings


@dataclass(frozen=True)
class Ran:
    """What a command wrote, and its exit status."""

    out: str
    err: str
    status: int

    @property
    def table(self) -> list[list[str]]:
        """The cells of a table: two spaces stand between them."""
        return [line.split() for line in self.out.splitlines()]


def run_command(settings: Settings, *arguments: str) -> Ran:
    """Run a command; what it did not foresee is raised."""
    app = Flask("commands")
    app.cli = Commands(settings)
    result = app.test_cli_runner().invoke(args=arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return Ran(result.stdout, result.stderr, result.exit_code)
