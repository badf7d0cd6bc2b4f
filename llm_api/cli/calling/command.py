"""The class of every command: examples in its help, `--json`, and exit codes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from llm_api.cli.calling.exit_codes import INTERRUPTED, CommandFailed, json_text

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_JSON = "as_json"


def with_options(*options: Decorator) -> Decorator:
    """Return what adds options to a command, listed in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for add in reversed(options):
            command = add(command)
        return command

    return decorate


def given_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, as fields of a request: 0 is, a flag's no is not."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and value is not False and value != ()
    }


class Command(click.Command):
    """A command with examples, whose function gets `as_json`."""

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), has_json: bool = True, **options: Any
    ) -> None:
        """Create a command.

        Args:
            *args: click's own.
            examples: command lines without the program's name.
            has_json: whether it has `--json`; what runs a server has nothing to print.
            **options: click's own.
        """
        super().__init__(*args, **options)
        self.examples = tuple(examples)
        if has_json:
            said = "Write one JSON document to standard output."
            self.params.append(click.Option(["--json", _JSON], is_flag=True, help=said))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            program = ctx.find_root().command_path
            with formatter.section("Examples"):
                formatter.write("".join(f"  {program} {line}\n" for line in self.examples))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an interrupted one ends as shells expect it."""
        try:
            return super().invoke(ctx)
        except CommandFailed as failed:
            if ctx.params.get(_JSON):
                click.echo(json_text(failed.document))
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


class CommandGroup(click.Group):
    """A group of such commands."""

    command_class = Command
