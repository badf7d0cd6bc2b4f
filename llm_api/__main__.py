"""The program `llm-api`, also `python -m llm_api`."""

from flask import Flask

from llm_api.cli.commands import PROGRAM
from llm_api.cli.program import Program
from llm_api.settings.settings import Settings


def main() -> None:
    """Run the command that the arguments name."""
    Program(_create_app)(prog_name=PROGRAM)


def _create_app(settings: Settings) -> Flask:
    # Not at the top: most commands, and the start of the service, need no application.
    from llm_api.app import create_app  # noqa: PLC0415

    return create_app(settings)


if __name__ == "__main__":
    main()
